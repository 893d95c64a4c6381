"""A GPU whose context dies under a batch: runners are opened anew, and answers go on.

The GPU is not there: `tests.engines.backends.fake_tensorrt` computes with ONNX Runtime.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest

from analysis.networks import Plan
from analysis.workers.channel import Channel, supported
from engines import build
from engines.backends.tensorrt.build import Library
from engines.backends.tensorrt.engine import TensorRT
from engines.catalog import Catalog
from engines.probe_inputs import probe
from engines.types import Array
from tests.analysis.workers.test_stream import Bench, replied
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import Machine

pytestmark = pytest.mark.skipif(not supported(), reason="there are devices on Linux only")
SPEC = msgspec.structs.replace(Catalog.load().get("emotion-fer48"), batches=(1, 4))
FACES = probe(SPEC)


def gpu(machine: Machine) -> TensorRT:
    fake_tensorrt.ICudaEngine.machine = machine
    return TensorRT("tensorrt", cast(Library, fake_tensorrt), machine.cuda())


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def benches(machine: Machine, tmp_path: Path) -> Iterator[tuple[Bench, Bench]]:
    """Two streams of a network on one GPU."""
    engine = gpu(machine)
    plan = Plan(build.build(SPEC, engine, tmp_path).path, SPEC, SPEC.max_batch)
    with ExitStack() as stack:
        yield Bench(engine, stack, plan), Bench(engine, stack, plan)


def scores(worker: Channel) -> Array:
    reply, message = replied(worker)
    assert reply.error is None, reply.error
    return message.arrays["scores"].copy()


def test_answers_go_on_after_a_dead_context(machine: Machine, benches: tuple[Bench, Bench]) -> None:
    for bench in benches:
        before = scores(bench.ask_for(FACES))
        machine.dead.add(0)
        np.testing.assert_array_equal(scores(bench.ask_for(FACES)), before)
    assert machine.resets == 2


def test_a_request_does_not_fail_because_another_stream_reset_the_gpu(
    machine: Machine, benches: tuple[Bench, Bench]
) -> None:
    """It is alone in its batch, but the memory of its runner is gone."""
    first, second = benches
    before = scores(second.ask_for(FACES[:1]))
    machine.dead.add(0)
    scores(first.ask_for(FACES))
    assert machine.resets == 1
    np.testing.assert_array_equal(scores(second.ask_for(FACES[:1])), before)
    assert machine.resets == 1


STAYS_DEAD = """
import sys, time
from contextlib import ExitStack
from pathlib import Path
import engines.backends.tensorrt.cuda
from tests.analysis.workers import test_gpu_streams as here
machine = here.Machine()
engine = here.gpu(machine)
plan = here.Plan(here.build.build(here.SPEC, engine, Path(sys.argv[1])).path, here.SPEC, 4)
with ExitStack() as stack:
    bench = here.Bench(engine, stack, plan)
    engines.backends.tensorrt.cuda.Cuda.reset = lambda *_: None
    machine.dead.add(0)
    bench.ask_for(here.FACES)
    time.sleep(100)
"""


def test_a_gpu_that_stays_dead_ends_the_process(tmp_path: Path) -> None:
    """The service is unready then, and starts another with pauses."""
    command = [sys.executable, "-c", STAYS_DEAD, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "illegal memory access" in ended.stderr
