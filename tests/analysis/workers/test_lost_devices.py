"""Devices that end and do not come back: their images run on other devices."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InferenceError
from analysis.types import Analysis, Result
from analysis.workers.suspects import PATIENCE
from tests.analysis.workers.fake_processes import Image, Nature
from tests.analysis.workers.test_pool_in_any_order import NATURES, PLACES, pick
from tests.analysis.workers.world import World
from tests.analysis.workers.worlds import opened, outcomes


def lose_with_an_image(world: World, nature: Nature = Nature.FINE) -> Image:
    """Lose the device that has the only image; return the image, which waits for it."""
    image = world.submit(nature)
    (worker,) = world.movable()
    worker.step()
    assert worker.device is not None
    worker.device.lose()
    worker.step()
    world.open_all()
    assert worker.worker.group.suspects
    return image


def test_the_image_of_a_lost_device_runs_alone_on_another_one() -> None:
    world = opened(devices=(2, 2))
    image = lose_with_an_image(world)
    lost = next(device for device in world.devices if device.lost)
    for _ in range(PATIENCE - 2):
        lost.refuse()
        world.open_all()
        world.loop.turn()
        assert image.sent == 1, "its own device may come back"
    beside = [world.submit(), world.submit()]
    world.settle()
    assert outcomes(image, *beside) == [Analysis] * 3
    assert image.sent == 2
    assert world.pool.ready


def test_a_device_that_comes_back_in_time_gets_its_image_and_is_used_again() -> None:
    world = opened(devices=(1, 1))
    image = lose_with_an_image(world)
    lost = next(device for device in world.devices if device.lost)
    for _ in range(PATIENCE - 2):
        world.loop.turn()
    lost.lost = False
    world.open_all()
    assert image in lost.workers[0].images
    more = [world.submit() for _ in range(2)]
    world.settle()
    assert outcomes(image, *more) == [Analysis] * 3


@pytest.mark.parametrize("poison", [Nature.KILLS_DEVICE, Nature.HANGS_DEVICE])
def test_a_poisoned_image_of_a_lost_device_ends_one_other_device(poison: Nature) -> None:
    world = opened(devices=(1, 1, 1))
    image = lose_with_an_image(world, poison)
    innocent = [world.submit() for _ in range(6)]
    world.settle()
    assert outcomes(image, *innocent) == [InferenceError, *[Analysis] * 6]
    assert world.counting.restarts == 2


def test_the_images_of_a_lost_device_are_divided_among_the_others() -> None:
    world = opened(devices=(3, 1, 1))
    images = [world.submit() for _ in range(5)]
    lost = world.devices[0]
    for worker in lost.workers:
        worker.step()
    lost.lose()
    for worker in lost.workers:
        worker.step()
    for _ in range(PATIENCE + 1):
        while world.senders():
            world.senders()[0].outbox.popleft()()
        world.loop.turn()
    numbers = [len(worker.worker.group.suspects) for worker in world.workers[3:]]
    assert numbers == [2, 1]
    world.settle()
    assert outcomes(*images) == [Analysis] * 5


@given(
    devices=st.lists(st.integers(1, 3), min_size=2, max_size=3),
    natures=st.lists(NATURES, min_size=2, max_size=12),
    steps=st.lists(PLACES, min_size=2, max_size=12),
    lost=PLACES,
    starts=st.integers(0, 2),
)
@settings(max_examples=60)
def test_a_device_that_is_lost_costs_its_images_one_retry_elsewhere(
    devices: list[int], natures: list[Nature], steps: list[int], lost: int, starts: int
) -> None:
    world = opened(tuple(devices))
    images = [world.submit(nature) for nature in natures]
    for place in steps:
        if movable := world.movable():
            pick(movable, place).step()
    device = pick(world.devices, lost)
    device.lose()
    for _ in range(starts):
        device.refuse()
    world.settle()
    assert not world.unanswered()
    innocent = [i for i in images if i.nature is Nature.FINE and len(i.device_ends) < 2]
    answers = [answer for image in innocent for answer in image.answers]
    assert all(isinstance(answer, Result) for answer in answers)
    assert not device.up
