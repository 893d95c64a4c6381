"""A pipeline whose workers are in the replicas of another deployment."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ray.exceptions import RayActorError, RayError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    RayServeException,
)

from analysis.errors import OverloadedError, ShuttingDownError
from analysis.timing import Sample
from analysis.types import Options, Result, Source
from emotions.ray.analysis import moved

log = logging.getLogger("emotions.ray")
# Interval in seconds at which the replicas report whether they are ready, and the maximum wait.
POLL_S, TIMEOUT_S = 2.0, 5.0
FULL = "all replicas are busy; send the request again later"
LOST = "the replica that had the image ended, and so did the next; send the request again later"


class ReplicaLostError(Exception):
    """The replica ended, or is about to end, before it had analyzed the image."""


class RemotePipeline:
    """Analyzes images in the replicas of a deployment; see `analysis.workers.pipeline.Pipeline`.

    analysis: Ray's handle of the deployment `Analysis`; workers: how many all replicas have at
    least.
    """

    def __init__(self, analysis: Any, networks: Sequence[str], workers: int) -> None:
        self.workers = workers
        self.ready = dict.fromkeys(networks, True)  # a replica has just described its models
        self._analysis = analysis
        self._watch: asyncio.Task[None]

    def start(self) -> None:
        """Start to watch the replicas."""
        self._watch = asyncio.create_task(self._poll())

    async def close(self) -> None:
        """Stop to watch the replicas, which Ray ends."""
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch

    async def analyze(
        self,
        source: Source,
        options: Options,
        deadline: float,
        owner: object = None,  # noqa: ARG002  (observers are in the replicas)
    ) -> Result:
        """Find the faces of one image, in another replica if the first one ends.

        Raises:
            OverloadedError: all replicas are busy, or two of them ended with the image.
        """
        try:
            return await self._call(source, options, deadline)
        except ReplicaLostError as error:
            log.warning("an image is analyzed again: %s", error)
        try:
            return await self._call(source, options, deadline)
        except ReplicaLostError as error:
            raise OverloadedError(LOST) from error

    async def _call(self, source: Source, options: Options, deadline: float) -> Result:
        """Send an image with the time that is left: clocks differ between machines."""
        sent = time.monotonic()
        response = self._analysis.analyze.remote(source, options, deadline - sent)
        try:
            found: Result = await response
        except asyncio.CancelledError:  # the deadline, or the client is gone
            response.cancel()
            raise
        except (BackPressureError, DeploymentUnavailableError) as error:
            raise OverloadedError(FULL) from error
        except RayActorError as error:
            raise ReplicaLostError(type(error).__name__) from error
        if isinstance(found.outcome, ShuttingDownError):
            raise ReplicaLostError("it is stopping")
        return Result(found.outcome, _since(sent, moved(found.samples, time.monotonic())))

    async def _poll(self) -> None:
        states: list[dict[str, bool]] = []
        while True:
            await asyncio.sleep(POLL_S)
            # A replica that has just ended can fail the call of all; the next call leaves it out.
            before, states = states, await broadcast(self._analysis, "ready")
            known = states or before
            self.ready = {
                network: any(state.get(network) for state in known) for network in self.ready
            }


def _since(sent: float, samples: list[Sample]) -> list[Sample]:
    """Count the wait for a replica as a part of the wait for a worker, which is the first stage."""
    return [sample._replace(started=sent) for sample in samples[:1]] + samples[1:]


async def broadcast(handle: Any, method: str) -> list[Any]:
    """Call a method of all replicas; return the results that arrive in time."""
    try:
        response = handle.broadcast(method)
        found = await response.results_async(timeout_s=TIMEOUT_S, return_exceptions=True)
    except (RayError, RayServeException, TimeoutError):
        return []
    return [each for each in found if not isinstance(each, BaseException)]
