"""Who is let in, who waits, and who is told at once that it would take too long."""

import asyncio

import pytest

from service.errors import Overloaded
from service.gate import Gate


class Clock:
    """Stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_only_so_many_are_worked_on_at_once() -> None:
    gate, inside, most = Gate(100, at_once=3), 0, 0

    async def image() -> None:
        nonlocal inside, most
        async with gate.work():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(image() for _ in range(20)))
    assert most == 3


async def test_a_failure_gives_its_place_back() -> None:
    gate = Gate(1, at_once=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            async with gate.work():
                raise ValueError("no")
        with pytest.raises(ValueError, match="no"), gate.admit(1):
            raise ValueError("no")
    with gate.admit(1):
        async with gate.work():
            pass


async def test_who_would_wait_longer_than_the_deadline_is_refused() -> None:
    clock = Clock()
    gate = Gate(1000, 1, clock)
    await learned(gate, clock, 1.0)
    with gate.admit(10):
        gate.check(1, clock.now + 60)
        with pytest.raises(Overloaded, match="longer than the request's deadline"):
            gate.check(1, clock.now + 5)
    gate.check(1, clock.now + 0.001)  # who is alone is let in


async def test_idle_time_is_not_taken_for_slow_work() -> None:
    clock = Clock()
    gate = Gate(1000, 1, clock)
    for _ in range(10):
        async with gate.work():
            clock.now += 0.01
        clock.now += 60
    with gate.admit(10):
        gate.check(1, clock.now + 1)


async def learned(gate: Gate, clock: Clock, seconds: float) -> None:
    """A hundred images that queue for one place and take `seconds` each."""

    async def image() -> None:
        async with gate.work():
            clock.now += seconds
            await asyncio.sleep(0)

    await asyncio.gather(*(image() for _ in range(100)))


async def test_a_slow_time_is_forgotten_when_images_are_fast_again() -> None:
    clock = Clock()
    gate = Gate(1000, 2, clock)
    await learned(gate, clock, 10.0)
    async with gate.work():
        clock.now += 0.01
    with gate.admit(10):
        gate.check(1, clock.now + 1)
