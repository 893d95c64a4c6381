"""The processes that the settings ask for, and the end of the process of a GPU."""

import asyncio
import math
import os
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import CorruptImageError
from analysis.types import Analysis, Input, Options, Result
from analysis.workers.layout import Layout
from analysis.workers.pool import Pool
from analysis.workers.replica import Replica
from analysis.workers.types import Dispatcher, Group, Worker
from bench.measure.processes import children, command
from engines import cpu
from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import Catalog, ModelSpec
from engines.errors import PlanMissingError
from service.factory import find_models, larger_inputs, layout_of
from service.factory.pipeline import step_limit_s
from service.factory.processes import WORKERS_PER_CORE
from service.settings import Settings
from service.telemetry.metrics import Metrics
from tests.observability.samples import read_samples
from tests.service.gpus import GPUS, pair
from tests.service.load import until
from tests.service.pipelines import IMAGES, analyze, running
from tests.service.topologies import TOPOLOGIES


def layout(plans: Path, engine: OnnxRuntime | None = None, **settings: Any) -> Layout:
    chosen = Settings.model_validate({"plans": plans, "engine": "onnxruntime"} | settings)
    models = find_models(chosen)
    return layout_of(chosen, models._replace(engine=engine or models.engine), Replica())


def sizes(layout: Layout) -> list[int]:
    """Return the number of workers in each group."""
    groups = layout.groups()
    for group in groups:
        if group.device is not None:
            group.device.stop()
    return [len(group.workers) for group in groups]


def test_a_core_has_a_worker_and_in_front_of_a_device_two(plans: Path) -> None:
    assert sizes(layout(plans)) == [1] * cpu.available()
    on_device = layout(plans, **TOPOLOGIES["device"])
    assert sizes(on_device) == [WORKERS_PER_CORE * cpu.available()]
    assert sizes(layout(plans, workers=3)) == [1, 1, 1]


@pytest.mark.parametrize(("workers", "expected"), [(1, [1, 1]), (4, [2, 2]), (5, [3, 2])])
def test_workers_are_shared_out_over_gpus(plans: Path, workers: int, expected: list[int]) -> None:
    assert sizes(layout(plans, pair("x"), workers=workers)) == expected


def test_a_gpu_has_a_device_process_unless_it_is_not_wanted(plans: Path) -> None:
    assert [device.gpu for device in layout(plans, pair("x")).devices] == list(GPUS[:2])
    assert not layout(plans, pair("x"), device_process=False).devices
    assert not layout(plans, pair("x"), isolate=False).devices
    assert not layout(plans).devices
    assert [device.gpu for device in layout(plans, device_process=True).devices] == [None]


def test_rows_that_share_batches_have_one_height_and_larger_batches(plans: Path) -> None:
    here, there = layout(plans).plans, layout(plans, device_process=True).plans
    assert all(each.heights for each in here.rules.inputs)
    assert not any(each.heights for each in there.rules.inputs)
    assert [plan.batch for plan in (here.detector, *here.larger)] == [1, 1, 1]
    assert [plan.batch for plan in (there.detector, *there.larger)] == [64, 16, 16, 16]


@pytest.mark.parametrize("device", [False, True])
def test_the_inputs_of_the_rules_are_those_of_the_detectors(plans: Path, device: bool) -> None:
    found = layout(plans, device_process=device).plans
    sizes = [plan.spec.input_size for plan in (found.detector, *found.larger)]
    assert [each.size for each in found.rules.inputs] == sizes
    wide = [(736, 1280)] if device else []
    assert sizes == [(640, 640), (960, 960), *wide, (1280, 1280)]


class OneHeight(OnnxRuntime):
    """An engine for GPUs, on a machine without one."""

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        return spec.input_shape[:1]


@pytest.mark.parametrize(
    ("engine", "settings", "wide"),
    [
        (OnnxRuntime(), {}, False),
        (OnnxRuntime(), {"device_process": True}, True),
        (pair("x"), {}, True),
        (pair("x"), {"isolate": False}, False),
        (pair("x"), {"device_process": False}, False),
        (OneHeight(), {}, True),
    ],
)
def test_a_device_has_a_wide_input(
    engine: OnnxRuntime, settings: dict[str, bool], wide: bool
) -> None:
    detector = Catalog.load().get("retinaface-mnet025")
    found = larger_inputs(detector, Settings.model_validate(settings), engine)
    squares = [(960, 960), (1280, 1280)]
    assert [spec.input_size for spec in found] == sorted(
        [*squares, *[(736, 1280)] * wide], key=math.prod
    )


def test_the_processes_of_gpus_get_the_memory_budget(plans: Path) -> None:
    found = layout(plans, pair("x"), gpu_memory_bytes=1 << 30)
    assert found.gpu_memory == 1 << 30
    assert layout(plans, pair("x")).gpu_memory is None


def test_a_detector_may_be_one_of_the_larger_inputs_alone(plans: Path) -> None:
    found = layout(plans, detector="retinaface-mnet025-1280").plans
    assert [each.size for each in found.rules.inputs] == [(1280, 1280)]
    assert not found.larger


def test_networks_have_names_and_a_task(plans: Path) -> None:
    found = layout(plans).plans.all
    detectors = ["detector", "detector-960", "detector-1280"]
    assert list(found) == [*detectors, "landmarks", "emotion", "embedder"]
    assert {found[name].spec.task for name in detectors} == {"detector"}


def test_a_missing_plan_of_a_larger_input_is_named(plans: Path, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime").mkdir()
    for file in (plans / "onnxruntime").iterdir():
        if "mnet025-1280" not in file.name:
            shutil.copy(file, tmp_path / "onnxruntime")
    with pytest.raises(PlanMissingError, match=r"mnet025-1280 .*emotions build .* retinaface-mnet"):
        layout(tmp_path)


@pytest.mark.parametrize(
    ("given", "expected"), [({}, 10), ({"deadline_s": 3}, 5), ({"batch_limit_s": 0.5}, 0.5)]
)
def test_a_step_that_hangs_leaves_time_for_a_retry(
    plans: Path, given: dict[str, Any], expected: float
) -> None:
    settings = Settings.model_validate({"plans": plans} | given)
    assert step_limit_s(settings) == expected


def started(module: str) -> list[int]:
    """Return the child processes of a kind, that of the first GPU first."""
    return sorted(
        pid for pid in children(os.getpid()) if f"analysis.workers.{module}" in command(pid)
    )


@pytest.mark.parametrize("killed", [0, 1])
async def test_a_gpu_whose_process_ends_costs_a_retry_and_the_others_nothing(
    plans: Path, killed: int
) -> None:
    metrics, seen, stop = Metrics(), Counter[object](), False
    async with running(
        plans, engine=pair("x"), workers=4, isolate=True, metrics=metrics
    ) as pipeline:

        async def client() -> None:
            while not stop:
                result = await analyze(pipeline, IMAGES[0])
                seen[len(result.scores) if isinstance(result, Analysis) else result] += 1

        clients = [asyncio.create_task(client()) for _ in range(16)]
        await until(lambda: seen[1] > 16 and seen[2] > 16)
        workers, devices = started("worker"), started("device")
        os.kill(devices[killed], signal.SIGKILL)
        await until(lambda: pipeline.pool.workers_ready < 4)
        other = 2 - killed  # number of faces that the other GPU finds
        before = seen[other]
        await until(lambda: seen[other] > before + 16)
        assert all(pipeline.ready.values())
        await until(lambda: pipeline.pool.workers_ready == 4)
        again = seen[killed + 1]
        await until(lambda: seen[killed + 1] > again + 16)
        stop = True
        await asyncio.gather(*clients)
        assert started("worker") == workers
        assert set(devices) - set(started("device")) == {devices[killed]}
    assert set(seen) == {1, 2}
    restarts = read_samples(metrics.render().decode())["emotions_worker_restarts_total"]
    assert {labels["reason"]: n for labels, n in restarts} == {"died": 1, "hung": 0}


class Recording:
    """A worker or a device that records its calls."""

    alive = True

    def __init__(self) -> None:
        self.sent: list[Sequence[Input]] = []
        self.reconnects = 0

    def start(self, pool: Dispatcher, place: Worker | Group) -> None:
        pass

    def send(self, tasks: Sequence[Input]) -> bool:
        self.sent.append(tasks)
        return True

    def reconnect(self) -> None:
        self.reconnects += 1

    def check(self, limit_s: float, busy_since: float | None) -> None:
        pass

    def stop(self) -> None:
        pass

    def kill(self) -> None:
        pass


async def test_a_worker_that_was_done_when_its_device_ended_connects_to_the_next_one() -> None:
    """Otherwise it would fail with an image that was already retried."""
    group, results = Group(Recording()), list[object]()
    first, second = Recording(), Recording()
    group.workers = [Worker(first, group), Worker(second, group)]
    pool = Pool([group], images_per_worker=1, limit_s=100)
    pool.start(asyncio.get_running_loop())
    for seat in group.workers:
        pool.became_ready(seat)
        pool.submit(Input(b"", Options()), math.inf, results.append)
    pool.device_ended(group, "died")
    pool.lost(group.workers[0], tried=True)
    pool.answered(group.workers[1], [Result(CorruptImageError(""), [])], [], 0)
    assert (first.reconnects, second.reconnects) == (1, 1)
    assert not pool.ready
    pool.became_ready(group.workers[1])
    assert [len(each.sent) for each in (first, second)] == [1, 2]
    pool.answered(group.workers[1], [Result(CorruptImageError(""), [])], [], 0)
    assert second.reconnects == 1
    assert [type(result) for result in results] == [Result, Result]
    pool.stop()
