"""The runners of a device process share its memory, in whatever order they open."""

import threading
from contextlib import ExitStack

import msgspec
import numpy as np
import pytest

from analysis.plans import ModelPlan
from analysis.workers.channel import supported
from analysis.workers.opening import Opening
from engines import build
from engines.memory import RESERVE
from tests.analysis.workers.gpu_streams import FACES, SPEC, gpu
from tests.analysis.workers.runner_threads import benches, receive_reply
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.fake_gpu import Memory

LARGE = msgspec.structs.replace(SPEC, batches=(1, 4, 16))


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> ModelPlan:
    built = build.build(LARGE, gpu(Machine()), tmp_path_factory.mktemp("plans"))
    return ModelPlan(built.path, LARGE, LARGE.max_batch)


def need(plan: ModelPlan, sizes: int) -> int:
    """Return the memory of a runner with so many of its batch sizes."""
    spec = msgspec.structs.replace(plan.spec, batches=plan.spec.batches[:sizes])
    machine = Machine()
    with gpu(machine).open(plan.path, spec):
        return machine.gpu.used


def agreed(opening: Opening, tries: list[tuple[bool, bool]]) -> list[bool]:
    """Let a thread report each of the tries; return the answer that each gets."""
    found: list[bool] = []

    def report(opened: bool, reducible: bool) -> None:
        found.append(opening.again(opened=opened, reducible=reducible))

    threads = [threading.Thread(target=report, args=each) for each in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_all_try_again_if_one_was_refused_and_one_can_do_with_less() -> None:
    opening = Opening(3)
    assert agreed(opening, [(False, False), (True, False), (True, True)]) == [True] * 3
    assert agreed(opening, [(True, False), (True, False), (True, True)]) == [False] * 3
    assert agreed(opening, [(False, False), (True, False), (True, False)]) == [False] * 3


@pytest.mark.skipif(not supported(), reason="there are devices on Linux only")
@pytest.mark.parametrize("sizes", [3, 2, 1])
def test_no_runner_takes_the_memory_of_another(plan: ModelPlan, sizes: int) -> None:
    """One alone could have all batch sizes, and would leave nothing to the others."""
    machine = Machine(Memory(RESERVE + 4 * need(plan, sizes)))
    with ExitStack() as stack:
        started = benches(gpu(machine), stack, plan, 4)
        for bench in started:
            reply, message = receive_reply(bench.ask_for(np.repeat(FACES[:1], 16, axis=0)))
            assert reply.error is None
            assert len(message.arrays["offsets"]) == 16
        assert machine.gpu.used == 4 * need(plan, sizes)
