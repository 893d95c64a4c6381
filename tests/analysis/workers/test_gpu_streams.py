"""A GPU whose context dies under a batch: runners are opened again, and answers go on."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from analysis.plans import ModelPlan
from analysis.workers.channel import Channel, supported
from engines import build
from engines.types import Array
from tests.analysis.workers.gpu_streams import FACES, SPEC, gpu
from tests.analysis.workers.runner_threads import Bench, receive_reply
from tests.engines.backends.fake_cuda import Machine

pytestmark = pytest.mark.skipif(not supported(), reason="there are devices on Linux only")


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def benches(machine: Machine, tmp_path: Path) -> Iterator[tuple[Bench, Bench]]:
    """Two streams of a network on one GPU."""
    engine = gpu(machine)
    plan = ModelPlan(build.build(SPEC, engine, tmp_path).path, SPEC, SPEC.max_batch)
    with ExitStack() as stack:
        yield Bench(engine, stack, plan), Bench(engine, stack, plan)


def scores(worker: Channel) -> Array:
    reply, message = receive_reply(worker)
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
from analysis.plans import ModelPlan
from engines import build
from tests.analysis.workers.gpu_streams import FACES, SPEC, gpu
from tests.analysis.workers.runner_threads import Bench
from tests.engines.backends.fake_cuda import Machine
machine = Machine()
engine = gpu(machine)
plan = ModelPlan(build.build(SPEC, engine, Path(sys.argv[1])).path, SPEC, 4)
with ExitStack() as stack:
    bench = Bench(engine, stack, plan)
    engines.backends.tensorrt.cuda.Cuda.reset = lambda *_: None
    machine.dead.add(0)
    bench.ask_for(FACES)
    time.sleep(100)
"""


def test_a_gpu_that_stays_dead_ends_the_process(tmp_path: Path) -> None:
    """The service is unready then, and starts another with pauses."""
    command = [sys.executable, "-c", STAYS_DEAD, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "illegal memory access" in ended.stderr
