"""Which worker gets which image, and what happens to images when a worker or a device ends."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import DeadlineExceededError, InferenceError, ShuttingDownError
from analysis.types import Analysis, Result
from tests.analysis.workers.fake_processes import Nature, State
from tests.analysis.workers.world import World
from tests.analysis.workers.worlds import opened, outcomes


def ready(world: World) -> bool:
    return world.pool.ready


def images_of(world: World) -> list[list[int]]:
    """Numbers of the images that each worker has."""
    return [[image.number for image in worker.images] for worker in world.workers]


def test_the_worker_that_was_idle_last_gets_an_image_at_once() -> None:
    world = opened(alone=2)
    world.submit()
    assert images_of(world) == [[], [0]]
    world.submit()
    assert images_of(world) == [[1], [0]]
    world.submit()
    assert world.pool.queued == 1
    world.workers[1].step()
    world.workers[1].step()
    world.workers[1].outbox.popleft()()
    assert images_of(world) == [[1], [2]]


@given(st.integers(1, 60), st.integers(1, 6), st.integers(1, 5))
@settings(max_examples=50)
def test_waiting_images_are_shared_out_evenly(images: int, workers: int, most: int) -> None:
    world = World([], workers, most, spread_over=workers)
    for _ in range(images):
        world.submit()
    world.open_all()
    sizes = [len(each) for each in images_of(world)]
    assert max(sizes) <= min(most, math.ceil(images / workers))
    assert sizes.count(0) == max(0, workers - images), "a worker is idle while another has several"
    numbers = [number for each in images_of(world) for number in each]
    assert numbers == list(range(len(numbers))), "not first come, first served"


def test_the_only_idle_worker_takes_waiting_images_up_to_a_limit() -> None:
    world = World([], alone=3, images_per_worker=4)
    for _ in range(6):
        world.submit()
    world.workers[1].open()
    world.workers[1].outbox.popleft()()
    assert images_of(world) == [[], [0, 1, 2, 3], []]
    world.open_all()
    assert images_of(world) == [[4, 5], [0, 1, 2, 3], []]


def test_a_pool_is_ready_with_one_ready_worker() -> None:
    world = World([2], alone=1)
    assert not ready(world)
    world.workers[2].open()
    assert not ready(world)
    world.workers[2].outbox.popleft()()
    assert ready(world)
    assert world.pool.workers_ready == 1
    world.open_all()
    assert world.pool.workers_ready == 3
    world.devices[0].end()
    world.devices[0].outbox.popleft()()
    assert world.pool.workers_ready == 1, "its workers wait for the next device"
    world.workers[2].end()
    world.workers[2].outbox.popleft()()
    assert not ready(world)


def test_images_of_a_worker_that_dies_are_retried_alone_and_others_are_not_affected() -> None:
    world = World([], alone=2, images_per_worker=3)
    images = [world.submit() for _ in range(12)]
    world.open_all()
    assert images_of(world) == [[0, 1, 2], [3, 4, 5]]
    world.workers[0].end()
    world.workers[0].outbox.popleft()()
    assert images_of(world) == [[], [3, 4, 5]]
    world.open_all()
    assert images_of(world) == [[0], [3, 4, 5]]
    world.settle()
    assert outcomes(*images) == [Analysis] * 12
    assert [image.sent for image in images] == [2] * 3 + [1] * 9
    assert world.counting.restarts == 1


@pytest.mark.parametrize("poison", [Nature.KILLS_WORKER, Nature.HANGS_WORKER])
def test_an_image_that_ends_two_workers_fails_alone(poison: Nature) -> None:
    world = World([], alone=2)
    natures = [Nature.FINE] * 5 + [poison] + [Nature.FINE] * 5
    images = [world.submit(nature) for nature in natures]
    world.settle()
    assert outcomes(*images) == [Analysis] * 5 + [InferenceError] + [Analysis] * 5
    assert world.counting.restarts == 2


@pytest.mark.parametrize("poison", [Nature.KILLS_DEVICE, Nature.HANGS_DEVICE])
def test_an_image_that_ends_two_devices_fails_alone(poison: Nature) -> None:
    world = opened(devices=(3, 1))
    images = [world.submit(nature) for nature in [poison, *[Nature.FINE] * 20]]
    world.settle()
    assert outcomes(*images) == [InferenceError] + [Analysis] * 20
    assert world.counting.restarts == 2


def test_images_that_were_on_a_device_run_there_one_at_a_time_and_other_devices_go_on() -> None:
    world = opened(devices=(2, 2))
    first, other = world.devices
    images = [world.submit(), world.submit(), world.submit(), world.submit()]
    for worker in first.workers:
        worker.step()
    first.end()
    for worker in first.workers:
        worker.step()
    world.open_all()
    busy = [each for each in first.workers if each.busy]
    assert len(busy) == 1, "both of its images wait, and two workers are there"
    more = [world.submit() for _ in range(3)]
    assert [each.busy for each in first.workers].count(True) == 1
    for worker in other.workers:
        for _ in range(3):
            worker.step()
        worker.outbox.popleft()()
    assert all(each.busy for each in other.workers), "the other device goes on"
    world.settle()
    assert outcomes(*images, *more) == [Analysis] * 7


def test_the_end_of_another_worker_does_not_end_the_retry_of_a_suspect() -> None:
    world = opened(devices=(2,))
    suspect = world.submit()
    trying, other = world.workers[1], world.workers[0]
    trying.step()
    world.devices[0].end()
    trying.step()
    world.open_all()
    assert [each.images for each in (trying, other)].count([suspect]) == 1
    trying, other = (trying, other) if trying.images else (other, trying)
    waiting = world.submit()
    other.end()
    world.open_all()
    assert (waiting.sent, other.ready) == (0, True), "it runs beside a suspect"
    world.settle()
    assert outcomes(suspect, waiting) == [Analysis] * 2


def test_a_worker_whose_device_ended_meanwhile_answers_and_then_waits_for_the_next() -> None:
    world = opened(devices=(1,))
    image = world.submit()
    (worker,) = world.workers
    for _ in range(3):
        worker.step()
    world.devices[0].end()
    world.devices[0].outbox.popleft()()
    worker.outbox.popleft()()
    assert outcomes(image) == [Analysis]
    assert worker.state is State.CONNECTING
    assert world.pool.workers_ready == 0


def test_an_image_that_never_reached_a_device_is_not_a_suspect() -> None:
    """Its worker reported the end of the device before it began."""
    world = opened(devices=(1,))
    world.devices[0].end()
    image = world.submit()
    for _ in range(3):
        if world.movable():
            world.movable()[0].step()
    assert world.workers[0].state is State.IDLE
    world.settle()
    assert outcomes(image) == [Analysis]
    assert (image.missed, image.device_ends, image.sent) == (1, [], 2)


def test_an_image_for_a_worker_that_has_just_died_goes_to_another_without_blame() -> None:
    world = opened(alone=2)
    world.workers[1].end()
    image = world.submit(Nature.KILLS_WORKER)
    assert images_of(world) == [[0], []]
    world.settle()
    assert outcomes(image) == [InferenceError]
    assert image.sent == 2, "it was retried once"


def test_an_image_that_is_alone_in_its_worker_is_not_blamed_for_a_shared_device() -> None:
    """It is alone in its worker from then on, but not alone on the device."""
    world = opened(devices=(2,))
    innocent = world.submit()
    world.workers[1].end()
    poison = world.submit(Nature.KILLS_DEVICE)
    world.open_all()
    assert innocent.worker_ends == [True]
    world.settle()
    assert outcomes(innocent, poison) == [Analysis, InferenceError]


def test_an_engine_that_fails_is_not_retried() -> None:
    world = opened(alone=1)
    image = world.submit(Nature.RAISES)
    world.settle()
    assert outcomes(image) == [InferenceError]
    assert (image.sent, world.counting.restarts) == (1, 0)


def test_no_image_is_sent_past_its_deadline() -> None:
    world = World([1])
    late, cancelled, fine = world.submit(), world.submit(), world.submit()
    assert late.job is not None
    assert cancelled.job is not None
    late.job.deadline, cancelled.job.cancelled = 0, True
    assert world.pool.queued == 3
    world.loop.turn()
    assert outcomes(late) == [DeadlineExceededError], "also while no worker is there"
    assert world.pool.queued == 1
    world.settle()
    assert outcomes(fine) == [Analysis]
    assert (late.sent, cancelled.sent, cancelled.answers) == (0, 0, [])
    assert world.counting.dropped == {"late": 1, "gone": 1}


def test_a_suspect_is_not_retried_past_its_deadline() -> None:
    world = opened(devices=(1,))
    image = world.submit()
    world.workers[0].step()
    world.devices[0].end()
    world.workers[0].step()
    world.workers[0].outbox.popleft()()
    assert image.job is not None
    image.job.deadline = 0
    world.open_all()
    assert outcomes(image) == [DeadlineExceededError]
    assert image.sent == 1


def test_stopping_rejects_waiting_images_and_answers_those_in_workers() -> None:
    world = opened(alone=2)
    done, dying, cancelled, waiting = [world.submit() for _ in range(4)]
    assert cancelled.job is not None
    cancelled.job.cancelled = True
    world.stop()
    assert not world.pool.ready
    assert outcomes(waiting) == [ShuttingDownError]
    assert world.pool.queued == 0
    assert not done.answers
    assert world.workers[0].images == [dying]
    world.workers[0].end()
    world.settle()
    assert outcomes(done, dying) == [Analysis, ShuttingDownError]
    assert cancelled.answers == []
    assert world.counting.restarts == 0, "what ends now is not replaced"
    late = world.submit()
    assert outcomes(late) == [ShuttingDownError]


def test_stopping_a_device_rejects_the_images_that_still_need_it() -> None:
    world = opened(devices=(2,))
    images = [world.submit(), world.submit(), world.submit()]
    world.workers[0].step()
    world.stop()
    world.settle()
    assert outcomes(*images) == [ShuttingDownError] * 3


def test_a_hung_worker_ends_with_kill_not_with_stop() -> None:
    world = opened(alone=1)
    image = world.submit(Nature.HANGS_WORKER)
    world.workers[0].step()
    world.stop()
    world.loop.turn()
    assert world.pool.alive
    world.pool.kill()
    world.settle()
    assert outcomes(image) == [ShuttingDownError]
    assert not world.pool.alive


def test_observers_get_the_owners_and_a_broken_one_has_no_effect() -> None:
    """A broken observer comes before the one that counts, see `World`."""
    world = opened(alone=1)
    images = [world.submit() for _ in range(3)]
    world.workers[0].end()
    world.settle()
    assert outcomes(*images) == [Analysis] * 3
    assert world.counting.owners == images
    assert world.counting.restarts == 1


def test_the_wait_for_a_worker_is_among_the_samples() -> None:
    world = opened(alone=1)
    image = world.submit()
    world.settle()
    (answer,) = image.answers
    assert isinstance(answer, Result)
    (sample,) = answer.samples
    assert sample.stage == "queue"
    assert sample.started <= sample.ended
