"""The queue in front of a network: first come, first served, work-conserving, without splits."""

import threading
from collections.abc import Callable
from typing import cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.workers.batcher import Batcher, QueuedRows
from analysis.workers.channel import Channel

NO_CHANNEL = cast(Channel, None)
SLOTS = threading.Semaphore(1)


def request(rows: int) -> QueuedRows:
    return QueuedRows(np.zeros((rows, 2), np.uint8), NO_CHANNEL)


def image(pixels: int) -> QueuedRows:
    """The one row of an image counts as many pixels as the image has."""
    return QueuedRows(np.zeros((1, 2), np.uint8), NO_CHANNEL, pixels)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=30),
    st.integers(1, 12),
    st.sampled_from([request, image]),
)
def test_waiting_requests_are_taken_at_once_whole_and_in_order(
    sizes: list[int], largest: int, kind: Callable[[int], QueuedRows]
) -> None:
    batcher, requests = Batcher(largest, SLOTS), [kind(size) for size in sizes]
    for each in requests:
        batcher.put(each)
    taken: list[QueuedRows] = []
    while len(taken) < len(requests):
        batch = batcher.take()
        batcher.done()
        taken_sizes = [each.size for each in batch]
        assert sum(taken_sizes[:-1]) < largest, "more than the largest batch"
        taken += batch
        assert sum(taken_sizes) >= largest or len(taken) == len(requests), "left some waiting"
    assert all(one is other for one, other in zip(taken, requests, strict=True))


def test_an_idle_stream_takes_the_first_request_without_waiting_for_more() -> None:
    batcher, taken = Batcher(100, SLOTS), list[list[QueuedRows]]()
    thread = threading.Thread(target=lambda: taken.append(batcher.take()))
    thread.start()
    only = request(1)
    batcher.put(only)
    thread.join(10)
    batcher.done()
    assert taken == [[only]]


def test_a_request_has_the_time_when_it_was_queued() -> None:
    assert request(1).queued <= request(1).queued


def test_each_request_is_taken_by_one_of_several_streams() -> None:
    batcher, taken = Batcher(3, threading.Semaphore(2)), list[QueuedRows]()
    end = 9  # rows: a batch ends with it

    def work() -> None:
        while True:
            taken.extend(batch := batcher.take())
            batcher.done()
            if len(batch[-1].rows) == end:
                return

    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    requests = [*(request(1) for _ in range(300)), *(request(end) for _ in threads)]
    for each in requests:
        batcher.put(each)
    for thread in threads:
        thread.join(10)
    assert sorted(map(id, taken)) == sorted(map(id, requests))


def test_a_batch_grows_while_all_slots_of_the_device_are_taken() -> None:
    """Slots taken by any network: requests are not split into batches that wait for each other."""
    slots = threading.Semaphore(1)
    one, other = Batcher(4, slots), Batcher(4, slots)
    one.put(request(1))
    one.take()
    taken = list[list[QueuedRows]]()
    streams = [threading.Thread(target=lambda: taken.append(other.take())) for _ in range(2)]
    for stream in streams:
        stream.start()
    requests = [request(1) for _ in range(5)]
    for each in requests:
        other.put(each)
    assert not taken
    for batcher in (one, other):  # one after the other the streams get the slot
        batcher.done()
    for stream in streams:
        stream.join(10)
    other.done()
    assert sorted(map(len, taken)) == [1, 4]
    assert {id(each) for batch in taken for each in batch} == set(map(id, requests))


def test_requests_of_a_batch_that_failed_are_taken_one_by_one() -> None:
    batcher, failed = Batcher(4, SLOTS), [request(1), request(2)]
    requests = list(failed)
    taken = []
    while failed:
        taken += batcher.take_failed(failed)
        batcher.done()
    assert sorted(map(id, taken)) == sorted(map(id, requests))
