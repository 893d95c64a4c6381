"""The throughput is measured while images queue, and from nothing else."""

import asyncio

import pytest

from analysis.errors import CorruptImageError, DeadlineExceededError, ShuttingDownError
from service.http.throughput import Throughput
from tests.service.clock import Clock


async def queued(throughput: Throughput, clock: Clock, seconds: float, workers: int) -> None:
    """Finish a hundred images that queue for workers, one every `seconds`."""
    places = asyncio.Semaphore(workers)

    async def image() -> None:
        with throughput.measure():
            async with places:
                clock.now += seconds
                await asyncio.sleep(0)

    await asyncio.gather(*(image() for _ in range(100)))


def alone(throughput: Throughput, clock: Clock, seconds: float) -> None:
    with throughput.measure():
        clock.now += seconds


@pytest.mark.parametrize("workers", [1, 4])
async def test_the_interval_of_images_that_queue_is_learned(workers: int) -> None:
    clock = Clock()
    throughput = Throughput(workers, clock)
    await queued(throughput, clock, 1.0, workers)
    assert throughput.seconds_per_image == pytest.approx(1, rel=0.2)


async def test_idle_time_does_not_change_the_throughput() -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    for _ in range(10):
        alone(throughput, clock, 0.01)
        clock.now += 60
    assert throughput.seconds_per_image == 0
    await queued(throughput, clock, 0.01, workers=1)
    clock.now += 60
    await queued(throughput, clock, 0.01, workers=1)
    assert throughput.seconds_per_image == pytest.approx(0.01, rel=0.02)


async def test_a_slow_time_is_forgotten_when_images_are_fast_again() -> None:
    clock = Clock()
    throughput = Throughput(2, clock)
    await queued(throughput, clock, 10, workers=2)
    alone(throughput, clock, 0.01)
    assert throughput.seconds_per_image == pytest.approx(0.01)


@pytest.mark.parametrize(
    "error", [DeadlineExceededError(), ShuttingDownError(), asyncio.CancelledError()]
)
async def test_dropped_images_do_not_change_the_throughput(error: BaseException) -> None:
    """Many are dropped at once when a client disconnects, which is not a high throughput."""
    clock = Clock()
    throughput = Throughput(1, clock)
    await queued(throughput, clock, 1.0, workers=1)
    before = throughput.seconds_per_image
    for _ in range(100):
        with pytest.raises(type(error)), throughput.measure():
            raise error
    assert throughput.seconds_per_image == before
    alone(throughput, clock, 0.5)
    assert throughput.seconds_per_image == 0.5, "none of them counts as running"


def fail(throughput: Throughput, clock: Clock, seconds: float) -> None:
    with throughput.measure():
        clock.now += seconds
        raise CorruptImageError("cut off")


async def test_an_image_that_cannot_be_decoded_counts() -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    await queued(throughput, clock, 1.0, workers=1)
    with pytest.raises(CorruptImageError):
        fail(throughput, clock, 0.25)
    assert throughput.seconds_per_image == 0.25
