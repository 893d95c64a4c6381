"""Processes end and hang, devices are lost, images are late and cancelled: each is answered once.

This holds in any order. No image fails for another, and images outside the worker or device that
ended are not affected; see `World.check` and `World.check_sent`.
"""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from analysis.workers.suspects import PATIENCE
from tests.analysis.workers.fake_processes import FakeDevice, FakeWorker, Nature
from tests.analysis.workers.world import World

Any = TypeVar("Any")
HARMLESS = [Nature.FINE] * 4 + [Nature.RAISES]
NATURES = st.sampled_from([*HARMLESS, *Nature])
PLACES = st.integers(0, 1000)


def pick(items: Sequence[Any], place: int) -> Any:
    return items[place % len(items)]


class Pools(RuleBasedStateMachine):
    """A pool in a world of random events."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World([])

    @initialize(
        devices=st.lists(st.integers(1, 4), max_size=3),
        alone=st.integers(0, 3),
        most=st.integers(1, 4),
        ready=st.booleans(),
    )
    def begin(self, devices: list[int], alone: int, most: int, ready: bool) -> None:
        self.world = World(devices, alone if devices else alone + 1, most)
        if ready:
            self.world.open_all()

    @rule(natures=st.lists(NATURES, min_size=1, max_size=8))
    def submit(self, natures: list[Nature]) -> None:
        for nature in natures:
            self.world.submit(nature)

    @precondition(lambda self: self.world.openable())
    @rule(place=PLACES)
    def open(self, place: int) -> None:
        pick(self.world.openable(), place).open()

    @precondition(lambda self: self.world.movable())
    @rule(places=st.lists(PLACES, min_size=1, max_size=5))
    def step(self, places: list[int]) -> None:
        for place in places:
            if movable := self.world.movable():
                pick(movable, place).step()

    @precondition(lambda self: self.world.senders())
    @rule(places=st.lists(PLACES, min_size=1, max_size=5))
    def deliver(self, places: list[int]) -> None:
        for place in places:
            if senders := self.world.senders():
                pick(senders, place).outbox.popleft()()

    @precondition(lambda self: self.ends())
    @rule(place=PLACES)
    def end(self, place: int) -> None:
        pick(self.ends(), place).end()

    def ends(self) -> list[FakeDevice | FakeWorker]:
        devices = [each for each in self.world.devices if each.up]
        return [*devices, *(each for each in self.world.workers if each.alive)]

    @precondition(lambda self: self.losable())
    @rule(place=PLACES)
    def lose(self, place: int) -> None:
        pick(self.losable(), place).lose()

    def losable(self) -> list[FakeDevice]:
        """Return the devices that may be lost, those with images first: one group remains."""
        alone = [each for each in self.world.workers if each.device is None]
        there = [each for each in self.world.devices if not each.lost]
        busy = [each for each in there if any(worker.on(each) for worker in each.workers)]
        return (busy or there) if len(alone) + len(there) > 1 else []

    @precondition(lambda self: self.lost())
    @rule(place=PLACES, back=st.booleans())
    def start_a_lost_device(self, place: int, back: bool) -> None:
        device = pick(self.lost(), place)
        if back:
            device.lost = False
        elif device.reported:
            device.refuse()

    def lost(self) -> list[FakeDevice]:
        return [each for each in self.world.devices if each.lost]

    @precondition(lambda self: self.lost())
    @rule()
    def wait(self) -> None:
        for _ in range(PATIENCE):
            self.world.loop.turn()

    @precondition(lambda self: self.world.unanswered())
    @rule(place=PLACES)
    def cancel(self, place: int) -> None:
        job = pick(self.world.unanswered(), place).job
        assert job is not None
        job.cancelled = True

    @precondition(lambda self: self.world.unanswered())
    @rule(place=PLACES)
    def pass_a_deadline(self, place: int) -> None:
        job = pick(self.world.unanswered(), place).job
        assert job is not None
        job.deadline = 0

    @rule()
    def sweep(self) -> None:
        self.world.loop.turn()

    @precondition(lambda self: not self.world.stopped)
    @rule(chance=st.integers(0, 9))
    def stop(self, chance: int) -> None:
        if chance == 0:
            self.world.stop()

    @invariant()
    def holds(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.settle()
        assert not self.world.unanswered(), "never answered"


TestPools = Pools.TestCase
TestPools.settings = settings(max_examples=100, stateful_step_count=40)
