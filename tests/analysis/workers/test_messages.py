"""Messages between the pool and its processes arrive as they were sent."""

from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analysis import errors
from analysis.errors import CorruptImageError, ServiceError
from analysis.timing import Batch, Sample
from analysis.types import Analysis, Detections, Input, Options, Result
from analysis.workers.channel import Channel, Message, supported
from analysis.workers.messages import (
    Answer,
    Arrays,
    FromProcess,
    Images,
    LogLine,
    Ready,
    Reconnect,
    Setup,
    encode,
    from_process,
    to_process,
)
from analysis.workers.packing import (
    STAGES,
    pack_inputs,
    pack_results,
    unpack_inputs,
    unpack_results,
)
from analysis.workers.sockets import pair
from engines.types import Array
from tests.analysis.fakes import plans
from tests.analysis.pictures import equal, same

pytestmark = pytest.mark.skipif(not supported(), reason="there are channels on Linux only")
ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ServiceError)
]
FLOATS = st.floats(-1e4, 1e4, width=32)
OPTIONS = st.builds(
    Options,
    min_score=st.floats(0, 1),
    max_faces=st.integers(1, 100),
    embeddings=st.booleans(),
    keep_image=st.booleans(),
    min_face=st.sampled_from(["auto", "fast"]) | st.integers(8, 10_000),
    orientation=st.sampled_from(["exif", "auto"]),
    min_quality=st.floats(0, 1),
)
TIMES = st.floats(0, 1e6)
SAMPLES = st.lists(st.builds(Sample, st.sampled_from(STAGES), TIMES, TIMES), max_size=4)
PIXELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def sent(note: bytes, values: Arrays) -> Message:
    """The message that another process gets; its memory stays with the arrays."""
    ours, theirs = (Channel(end) for end in pair())
    with closing(ours), closing(theirs):
        ours.send(note, values)
        return theirs.receive()


def floats(draw: st.DrawFn, *shape: int) -> Array:
    return draw(arrays.arrays(np.float32, shape, elements=FLOATS))


@st.composite
def analyses(draw: st.DrawFn, labels: int, embedding: int) -> Analysis:
    faces = draw(st.integers(0, 4))
    embeddings = None
    if draw(st.booleans()):
        embeddings = floats(draw, faces, embedding if faces else 0)
    return Analysis(
        draw(st.integers(1, 9999)),
        draw(st.integers(1, 9999)),
        Detections(floats(draw, faces, 4), floats(draw, faces, 5, 2), floats(draw, faces)),
        floats(draw, faces, labels),
        floats(draw, faces),
        embeddings,
        draw(st.none() | PIXELS),
        draw(st.sampled_from([0, 90, 180, 270])),
    )


@st.composite
def lists_of_results(draw: st.DrawFn) -> list[Result]:
    """Results of one worker, whose networks have the same outputs for all images."""
    labels, embedding = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    failed = st.builds(lambda kind, text: kind(text), st.sampled_from(ERRORS), st.text(max_size=9))
    outcomes = analyses(labels, embedding) | failed
    return draw(st.lists(st.builds(Result, outcomes, SAMPLES), max_size=4))


@given(lists_of_results(), st.integers(0, 9))
def test_results_arrive_as_they_were(results: list[Result], failures: int) -> None:
    batches = [Batch("detector", 4, 1.0, 2.5, 3.25), Batch("emotion", 0, 0.5, 1.0, 2.0)]
    note, values = pack_results(results, batches, failures)
    message = sent(encode(note), values)
    answer = from_process(message.note)
    assert isinstance(answer, Answer)
    assert (answer.batches, answer.failures, answer.lost) == (batches, failures, False)
    options = [
        Options(
            embeddings=isinstance(each.outcome, Analysis) and each.outcome.embeddings is not None
        )
        for each in results
    ]
    arrived = unpack_results(answer, message.arrays, options)
    for before, after in zip(results, arrived, strict=True):
        assert same(before.outcome, after.outcome)
        assert before.samples == after.samples


def test_results_do_not_share_the_memory_of_the_worker() -> None:
    """The worker overwrites it with the next answer."""
    ours, theirs = (Channel(end) for end in pair())
    with closing(ours), closing(theirs):
        arrived = []
        for value in (1, 2):
            faces = Detections(*(np.full((1, *shape), value, "f4") for shape in ((4,), (5, 2), ())))
            pixels = np.full((2, 2, 3), value, np.uint8)
            scores, qualities = np.full((1, 7), value, "f4"), np.full(1, value, "f4")
            found = Analysis(2, 2, faces, scores, qualities, None, pixels)
            note, values = pack_results([Result(found, [])], [], 0)
            ours.send(encode(note), values)
            message = theirs.receive()
            arrived += unpack_results(note, message.arrays, [Options()])
    for value, result in zip((1, 2), arrived, strict=True):
        assert isinstance(result.outcome, Analysis)
        assert result.outcome.image is not None
        assert (result.outcome.image == value).all()
        assert (result.outcome.scores == value).all()
        assert (result.outcome.qualities == value).all()


@given(
    st.lists(st.builds(Input, st.binary(max_size=50) | PIXELS, OPTIONS, st.booleans()), max_size=4)
)
def test_images_arrive_as_they_were(tasks: list[Input]) -> None:
    note, values = pack_inputs(tasks)
    message = sent(encode(note), values)
    images = to_process(message.note)
    assert isinstance(images, Images)
    arrived = unpack_inputs(images, message.arrays)
    for before, after in zip(tasks, arrived, strict=True):
        assert after.options == before.options
        assert type(after.source) is type(before.source)
        assert equal(after.source, before.source)
        assert after.trusted == all(each.trusted for each in tasks)


@pytest.mark.parametrize("device", [None, "0001f"])
def test_a_setup_arrives_as_it_was(device: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup("bench.fakes:instant:8", "8.9", plans(), device, 1 << 33, "nvimagecodec")
    path = setup.plans.detector.path.absolute()
    arrived = to_process(encode(setup))
    assert isinstance(arrived, Setup)
    monkeypatch.chdir("/")  # as another process might be elsewhere
    assert arrived.plans.detector.path == path
    assert arrived.plans.detector.spec == setup.plans.detector.spec
    assert arrived.plans.rules == setup.plans.rules
    for name in ("engine", "capability", "device", "gpu_memory", "jpeg_decoder"):
        assert getattr(arrived, name) == getattr(setup, name)


@pytest.mark.parametrize(
    "note",
    [Ready(), LogLine("emotions.worker", 40, "ä\ud7ff"), Answer([], [], lost=True, tried=False)],
)
def test_notes_of_processes_arrive_as_they_were(note: FromProcess) -> None:
    assert from_process(encode(note)) == note


def test_a_request_to_reconnect_arrives() -> None:
    assert to_process(encode(Reconnect())) == Reconnect()


def test_an_error_keeps_its_class_and_message() -> None:
    (result,) = unpack_results(
        pack_results([Result(CorruptImageError("send it whole"), [])], [], 0)[0],
        {},
        [Options()],
    )
    assert isinstance(result.outcome, CorruptImageError)
    assert str(result.outcome) == "send it whole"
