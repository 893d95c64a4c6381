"""The parts of a job on Ray Data: actors that each hold the workers of some cores or of a GPU."""

import asyncio
import json
import logging
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

import numpy as np
import ray
import ray.data
from numpy.typing import NDArray
from rich.console import Console

from offline.bulk.local import open_analyzer
from offline.bulk.manifest import decode, encode
from offline.bulk.types import BulkJob, Part, PartReport, Run
from offline.errors import CommandError
from offline.plans import build_plans
from service.factory.processes import WORKERS_PER_CORE

# How long the head node of a cluster may take to accept a connection.
ANSWER_S = 10
# A part whose actor ends this often is given up: it may need more memory than there is.
RETRIES = 5
LOST = f"it failed, or its actor ended more than {RETRIES} times, perhaps for lack of memory"
Column = dict[str, NDArray[np.object_]]


class Cluster(NamedTuple):
    """Which cluster to use, and the cores and GPUs of each actor.

    address: "auto" for the cluster that this machine belongs to, "local" for a new one on this
    machine, or the address of a cluster.
    """

    address: str
    cpus: int = 1
    gpus: float = 0


class PartActor:
    """An actor of Ray: builds the plans that its node lacks, and analyzes parts one by one."""

    def __init__(self, job: BulkJob) -> None:
        build_plans([], job.settings, Console(quiet=True))
        self._runner, self._stack = asyncio.Runner(), AsyncExitStack()
        opened = self._stack.enter_async_context(open_analyzer(job))
        self._analyzer = self._runner.run(opened)

    def __call__(self, batch: Column) -> Column:
        """Analyze the parts of a batch; return the report of each."""
        parts = [decode(line) for line in batch["part"]]
        reports = [self._runner.run(self._analyzer.analyze(part)) for part in parts]
        return {"report": np.array([json.dumps(report._asdict()) for report in reports], object)}


def run_on_ray(cluster: Cluster) -> Run:
    """Return a function that analyzes parts on `cluster`; see `offline.bulk.local.run_local`.

    Raises:
        CommandError: by that function, if the cluster cannot be reached or loses all its nodes.
    """
    return partial(_run, cluster)


def _run(
    cluster: Cluster, job: BulkJob, parts: Sequence[Part], report: Callable[[PartReport], None]
) -> None:
    connect(cluster.address)
    missing = {part.number: part for part in parts}
    try:
        for row in reports(cluster, parts, PartActor, _for_actors(job, cluster)):
            found = PartReport(**json.loads(row["report"]))
            del missing[found.part]
            report(found)
    except ray.exceptions.RayError as error:
        raise CommandError(f"Ray: {_last_line(error)}; start again to continue") from error
    finally:
        ray.shutdown()
    for part in missing.values():
        report(PartReport(part.number, len(part.files), problem=f"{part.name}: {LOST}"))


def connect(address: str) -> None:
    """Connect to a cluster, or start one on this machine.

    Raises:
        CommandError: it cannot be reached.
    """
    _check(address)
    options = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address, logging_level="error", log_to_driver=False, **options)
    except Exception as error:  # Ray documents no common class
        token = isinstance(error.__cause__, ray.exceptions.AuthenticationError)
        fix = "; set RAY_AUTH_MODE=token, as its nodes have a token" if token else ""
        raise CommandError(f"Ray at {address}: {error}{fix}") from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # lost parts are reported
    context = ray.data.DataContext.get_current()
    # Further actors are started while all are busy; by default only if parts wait at the actors.
    context.autoscaling_config.actor_pool_util_upscaling_threshold = 1.0
    context.enable_progress_bars = False  # ours counts files
    context.execution_no_progress_timeout_s = -1  # a film may take hours
    context.max_errored_blocks = -1  # parts whose actors ended too often are reported at the end


def _check(address: str) -> None:
    """Check that the host answers; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except OSError as error:
        raise CommandError(f"Ray at {address}: {error.strerror or error}") from error


def reports(
    cluster: Cluster, parts: Sequence[Part], actor: type, *arguments: object
) -> Iterator[dict[str, str]]:
    """Yield what actors of a class, which is made with `arguments`, return for each part."""
    # A block per part: after the loss of an actor Ray runs only its own part again.
    rows = [{"part": encode(part)} for part in parts]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray 2.60 has no other parameter for the retries
        dataset = dataset.map_batches(
            actor,
            fn_constructor_args=arguments,
            batch_size=1,
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus or None,
            compute=_pool(cluster, len(rows)),
            ray_remote_args_fn=lambda: {"max_task_retries": RETRIES},
        )
    return iter(dataset.iter_rows())


def _pool(cluster: Cluster, parts: int) -> ray.data.ActorPoolStrategy:
    """Return as many actors as fit; no part waits at an actor, where a film may run for hours."""
    return ray.data.ActorPoolStrategy(
        min_size=1,
        initial_size=min(_actors(cluster), parts),
        max_size=parts,
        max_tasks_in_flight_per_actor=1,
    )


def _actors(cluster: Cluster) -> int:
    """Return how many actors fit on the nodes; without a number Ray starts them one by one."""
    found = ray.cluster_resources()
    fitting = found.get("CPU", 0) / cluster.cpus
    if cluster.gpus:
        fitting = min(fitting, found.get("GPU", 0) / cluster.gpus)
    return max(1, int(fitting))


def _for_actors(job: BulkJob, cluster: Cluster) -> BulkJob:
    """Return the job with the workers of one actor, and without what only the service needs."""
    per_core = WORKERS_PER_CORE if cluster.gpus else 1
    changed = {"workers": per_core * cluster.cpus, "api_keys": (), "api_keys_file": None}
    return job._replace(settings=job.settings.model_copy(update=changed))


def _last_line(error: ray.exceptions.RayError) -> str:
    return str(error).strip().splitlines()[-1]
