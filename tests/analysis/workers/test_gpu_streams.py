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


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> ModelPlan:
    built = build.build(SPEC, gpu(Machine()), tmp_path_factory.mktemp("plans"))
    return ModelPlan(built.path, SPEC, SPEC.max_batch)


@pytest.fixture
def benches(machine: Machine, plan: ModelPlan) -> Iterator[tuple[Bench, Bench]]:
    """Two streams of a network on one GPU."""
    engine = gpu(machine)
    with ExitStack() as stack:
        yield Bench(engine, stack, plan), Bench(engine, stack, plan)


def answers(worker: Channel) -> Array:
    reply, message = receive_reply(worker)
    assert reply.error is None, reply.error
    return message.arrays["offsets"].copy()


def test_answers_go_on_after_a_dead_context(machine: Machine, benches: tuple[Bench, Bench]) -> None:
    for bench in benches:
        before = answers(bench.ask_for(FACES))
        machine.dead.add(0)
        np.testing.assert_array_equal(answers(bench.ask_for(FACES)), before)
    assert machine.resets == 2


def test_a_request_does_not_fail_because_another_stream_reset_the_gpu(
    machine: Machine, benches: tuple[Bench, Bench]
) -> None:
    """It is alone in its batch, but the memory of its runner is gone."""
    first, second = benches
    before = answers(second.ask_for(FACES[:1]))
    machine.dead.add(0)
    answers(first.ask_for(FACES))
    assert machine.resets == 1
    np.testing.assert_array_equal(answers(second.ask_for(FACES[:1])), before)
    assert machine.resets == 1


def test_out_of_memory_costs_the_largest_batch_and_no_request(
    machine: Machine, benches: tuple[Bench, Bench]
) -> None:
    """For example, CUDA loads a kernel at its first use, and another program took the rest."""
    first, second = benches
    before = answers(first.ask_for(FACES))
    machine.faults.expect("launch", 1, out_of_memory=True)
    np.testing.assert_array_equal(answers(first.ask_for(FACES)), before)
    machine.faults.expect("launch", 1, out_of_memory=True)
    np.testing.assert_array_equal(answers(first.ask_for(FACES)), before)
    np.testing.assert_array_equal(answers(second.ask_for(FACES)), before)
    assert machine.resets == 0


def test_a_batch_that_never_finds_memory_fails_and_the_next_is_answered(
    machine: Machine, benches: tuple[Bench, Bench], caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = benches
    before = answers(first.ask_for(FACES[:1]))
    # The second upload is that of the row that every new runner runs.
    machine.faults.expect("upload", 1, 3, out_of_memory=True)
    reply, _ = receive_reply(first.ask_for(FACES[:1]))
    assert reply.error is not None
    assert "too little GPU memory" in reply.error
    np.testing.assert_array_equal(answers(first.ask_for(FACES[:1])), before)
    assert "runs without batch 4" in caplog.text


ENDS = """
import sys, time
from contextlib import ExitStack
from pathlib import Path
from analysis.plans import ModelPlan
from engines import build
from engines.memory import RESERVE
from tests.analysis.workers.gpu_streams import FACES, SPEC, gpu
from tests.analysis.workers.runner_threads import Bench
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.fake_gpu import Memory
machine = Machine()
plan = ModelPlan(build.build(SPEC, gpu(machine), Path(sys.argv[1])).path, SPEC, 4)
with ExitStack() as stack:
    {}
    time.sleep(100)
"""
STAYS_DEAD = """
    bench = Bench(gpu(machine), stack, plan)
    machine.reset = lambda: None
    machine.dead.add(0)
    bench.ask_for(FACES)
"""
IS_FULL = """
    Bench(gpu(Machine(Memory(RESERVE))), stack, plan)
"""


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (STAYS_DEAD, "landmarks-64 cannot be opened: the GPU failed: an illegal memory access"),
        (IS_FULL, "landmarks-64 cannot be opened: 2.0 MiB of GPU memory are needed; 256.0 MiB are"),
    ],
    ids=["dead", "full"],
)
def test_a_gpu_that_cannot_be_used_ends_the_process(
    tmp_path: Path, cause: str, message: str
) -> None:
    """The service is unready then, and starts another with pauses."""
    command = [sys.executable, "-c", ENDS.format(cause.strip()), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1, ended.stderr
    assert message in ended.stderr
