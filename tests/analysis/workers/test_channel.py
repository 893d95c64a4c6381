"""Messages between processes arrive as they were sent, of any kind and size."""

import gc
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analysis.workers.channel import Channel, supported
from analysis.workers.sockets import pair
from engines.types import Array

pytestmark = pytest.mark.skipif(not supported(), reason="there are channels on Linux only")
Channels = tuple[Channel, Channel]


@contextmanager
def connected() -> Iterator[Channels]:
    ours, theirs = (Channel(end) for end in pair())
    with closing(ours), closing(theirs):
        yield ours, theirs


@pytest.fixture
def channels() -> Iterator[Channels]:
    with connected() as both:
        yield both


ARRAYS = st.dictionaries(
    st.text(max_size=5),
    arrays.arrays(
        st.sampled_from(["u1", "<f4", ">f4", "f2", "i8", "?"]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=20),
    ),
    max_size=4,
)


@given(st.lists(st.tuples(st.binary(max_size=100), ARRAYS), max_size=5))
def test_notes_and_arrays_arrive_to_the_last_bit(
    messages: list[tuple[bytes, dict[str, Array]]],
) -> None:
    with connected() as (ours, theirs):
        for note, sent in messages:
            for one, other in ((ours, theirs), (theirs, ours)):
                one.send(note, sent)
                message = other.receive()
                assert message.note == note
                assert list(message.arrays) == list(sent)
                for name, array in sent.items():
                    got = message.arrays[name]
                    assert (got.dtype, got.shape) == (array.dtype, array.shape)
                    assert got.tobytes() == array.tobytes()


def test_arrays_that_are_not_contiguous_arrive(channels: Channels) -> None:
    ours, theirs = channels
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    for view in (pixels[::-1], pixels[:, ::2], pixels.swapaxes(0, 1)):
        ours.send(b"", {"pixels": view})
        np.testing.assert_array_equal(theirs.receive().arrays["pixels"], view)


def staged(ours: Channel, rows: int, value: int) -> Array:
    array = ours.input_buffer((rows, 7), np.dtype(np.uint8))
    array[:] = value
    ours.send(b"", {"rows": array})
    return array


def test_a_staged_array_arrives_also_when_memory_grows(channels: Channels) -> None:
    ours, theirs = channels
    for rows in (1, 3, 2, 50, 50):
        staged(ours, rows, rows)
        np.testing.assert_array_equal(theirs.receive().arrays["rows"], np.full((rows, 7), rows))


@pytest.mark.parametrize("rows", [1, 9, 64])
def test_a_staged_array_is_not_copied(channels: Channels, rows: int) -> None:
    """The receiver sees what the sender writes later."""
    ours, theirs = channels
    for value in (1, 2):
        array = staged(ours, rows, value)
        received = theirs.receive().arrays["rows"]
        array[:] = value + 100
        assert (received == value + 100).all()


def test_a_staged_array_that_is_not_sent_has_no_effect(channels: Channels) -> None:
    ours, theirs = channels
    ours.input_buffer((1000,), np.dtype(np.uint8))
    ours.send(b"alone")
    assert theirs.receive() == (b"alone", {})
    sent = {"a": np.arange(5), "b": np.full((2, 2), 0.5)}
    ours.send(b"", sent)
    for name, array in theirs.receive().arrays.items():
        np.testing.assert_array_equal(array, sent[name])


def test_pieces_of_a_staged_array_may_be_sent_one_after_the_other(channels: Channels) -> None:
    """As a batch that is larger than that of the network."""
    ours, theirs = channels
    rows = ours.input_buffer((7, 100), np.dtype(np.uint8))
    rows[:] = np.arange(7)[:, None]
    for start in range(0, 7, 3):
        ours.send(b"", {"rows": rows[start : start + 3]})
        wanted = np.arange(start, min(start + 3, 7))
        np.testing.assert_array_equal(theirs.receive().arrays["rows"][:, 0], wanted)


def test_notes_of_several_threads_arrive_whole(channels: Channels) -> None:
    ours, theirs = channels

    def work(letter: bytes) -> None:
        for _ in range(50):
            ours.send_note(letter * 3000)

    threads = [threading.Thread(target=work, args=(each,)) for each in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    received = [theirs.receive(10).note for _ in range(150)]
    for thread in threads:
        thread.join()
    assert sorted(received) == [each * 3000 for each in (b"a", b"b", b"c") for _ in range(50)]


def test_a_note_does_not_disturb_the_arrays_of_a_message(channels: Channels) -> None:
    ours, theirs = channels
    ours.send(b"rows", {"rows": np.arange(9)})
    message = theirs.receive()
    ours.send_note(b"a line for the log")
    assert theirs.receive().note == b"a line for the log"
    np.testing.assert_array_equal(message.arrays["rows"], np.arange(9))


def test_receive_waits_as_long_as_requested(channels: Channels) -> None:
    _, theirs = channels
    with pytest.raises(TimeoutError):
        theirs.receive(0.01)
    with pytest.raises(BlockingIOError):
        theirs.receive(0)


def test_the_close_of_an_end_is_seen_after_all_its_messages(channels: Channels) -> None:
    ours, theirs = channels
    theirs.send(b"last", {"rows": np.arange(3)})
    theirs.close()
    message = ours.receive()
    assert message.note == b"last"
    with pytest.raises(EOFError):
        ours.receive()
    with pytest.raises(OSError, match="pipe"):
        ours.send(b"", {"rows": np.zeros(10_000)})
    with pytest.raises(OSError, match="pipe"):
        ours.send_note(b"")
    np.testing.assert_array_equal(message.arrays["rows"], np.arange(3))


def test_an_end_that_hung_up_can_still_receive(channels: Channels) -> None:
    ours, theirs = channels
    ours.hang_up()
    with pytest.raises(EOFError):
        theirs.receive()
    theirs.send(b"answer", {"rows": np.arange(3)})
    assert ours.receive().note == b"answer"
    theirs.close()
    ours.hang_up()


def descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_left_open() -> None:
    before = descriptors()
    with connected() as (ours, theirs):
        for size in (100, 10_000, 1_000_000):
            ours.send(b"", {"rows": np.zeros(size)})
            theirs.receive()
        ours.input_buffer((2_000_000,), np.dtype(np.uint8))
        ours.input_buffer((9_000_000,), np.dtype(np.uint8))
        theirs.close()
        with pytest.raises(OSError, match="pipe"):
            ours.send(b"", {"rows": np.zeros(9_000_000, np.uint8)})
        ours.input_buffer((10_000_000,), np.dtype(np.uint8))
    del ours, theirs
    assert descriptors() == before


def test_memory_stays_as_long_as_an_array_in_it() -> None:
    with connected() as (ours, theirs):
        ours.send(b"", {"rows": np.arange(1000)})
        received = theirs.receive().arrays["rows"]
        ours.send(b"", {"rows": np.zeros(100_000)})
        theirs.receive()
    del ours, theirs
    gc.collect()
    np.testing.assert_array_equal(received, np.arange(1000))
