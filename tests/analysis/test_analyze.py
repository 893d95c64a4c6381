"""Analyses of images, with the shipped networks and with fakes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from analysis.analyze import analyze
from analysis.errors import (
    CorruptImageError,
    ServiceError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from analysis.networks import Networks, open_networks
from analysis.types import Analysis, Input, Options, Result
from engines.backends.onnxruntime import OnnxRuntime
from engines.errors import PlanDamagedError
from engines.types import U8
from tests.analysis.fakes import BufferedRunner, Recorder, StartingRunner
from tests.analysis.pictures import (
    BOXES,
    HOPPER,
    IMAGES,
    LIMITS,
    PLAIN,
    TILED,
    equal,
    faces,
    networks,
    outcome,
    same,
    shipped,
)
from tests.photographs import ASTRONAUT_FILE, encode, iou, read

ASTRONAUT = read(ASTRONAUT_FILE)


@pytest.fixture(scope="module", params=["one image at a time", "four images at a time"])
def each(request: pytest.FixtureRequest, plans: Path) -> Iterator[Networks]:
    """As on a CPU, with inputs as low as the image; and as on a device, in batches."""
    several = request.param.startswith("four")
    with networks(shipped(plans, images=4 if several else 1, heights=not several)) as found:
        yield found


@pytest.fixture(scope="module")
def found(plans: Path) -> Iterator[Networks]:
    with networks(shipped(plans)) as opened_here:
        yield opened_here


TASKS = st.builds(
    Input,
    st.sampled_from(IMAGES),
    st.builds(
        Options,
        min_score=st.sampled_from([0.02, 0.5, 1.0]),
        max_faces=st.sampled_from([1, 2, 100]),
        embeddings=st.booleans(),
        keep_image=st.booleans(),
        min_face=st.sampled_from(["auto", "fast", 12, 100]),
        orientation=st.sampled_from(["exif", "auto"]),
        min_quality=st.sampled_from([0.0, 0.5]),
    ),
)


@given(tasks=st.lists(TASKS, min_size=2, max_size=7))
@settings(max_examples=10)
def test_an_image_gives_the_same_alone_as_beside_any_others(
    each: Networks, tasks: list[Input]
) -> None:
    """To the last bit, with any options, and beside broken images."""
    together = analyze(tasks, each)
    for task, result in zip(tasks, together, strict=True):
        assert same(result.outcome, outcome(each, task.source, task.options))


def test_batches_of_images_give_the_bits_of_single_images(plans: Path) -> None:
    tasks = [Input(source, Options(embeddings=True)) for source in IMAGES]
    with (
        networks(shipped(plans, images=1, heights=False)) as single,
        networks(shipped(plans, images=4, heights=False)) as several,
    ):
        pairs = zip(analyze(tasks, single), analyze(tasks, several), strict=True)
        assert all(same(one.outcome, other.outcome) for one, other in pairs)


def test_every_face_of_a_group_is_found_where_it_is(found: Networks) -> None:
    result = faces(found, IMAGES[2])
    assert (result.width, result.height) == (768, 512)
    for wanted in BOXES:
        assert max(iou(list(box), wanted) for box in result.faces.boxes) > 0.6
    assert result.scores.shape == (len(result.faces.boxes), 7)
    assert np.allclose(result.scores.sum(axis=1), 1, atol=1e-5)


def test_min_score_and_max_faces(found: Networks) -> None:
    assert len(faces(found, TILED, Options(max_faces=2)).scores) == 2
    assert len(faces(found, TILED, Options(min_score=1.0)).scores) == 0


def test_an_image_without_faces_has_empty_arrays(found: Networks) -> None:
    result = faces(found, IMAGES[4], Options(embeddings=True))
    assert result.scores.shape == (0, 7)
    assert result.embeddings is not None
    assert len(result.embeddings) == 0
    assert faces(found, IMAGES[4]).embeddings is None


def test_embeddings_have_unit_length_and_distinguish_people(found: Networks) -> None:
    vectors = []
    for source in (ASTRONAUT, ASTRONAUT[:, ::-1].copy(), HOPPER):
        embeddings = faces(found, source, Options(embeddings=True)).embeddings
        assert embeddings is not None
        vectors.append(embeddings[0])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_a_scene_turned_on_its_side_gives_upright_boxes_and_pixels(found: Networks) -> None:
    """EXIF orientation 6: stored turned left, shown upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(ASTRONAUT[:, :400]))
    turned = encode(stored, "PNG", exif=exif.tobytes())
    upright = faces(found, ASTRONAUT[:, :400].copy(), Options(keep_image=True))
    from_exif = faces(found, turned, Options(keep_image=True))
    assert (from_exif.width, from_exif.height) == (400, 512)
    assert same(upright, from_exif)


@pytest.mark.parametrize("side", [512, 60])
def test_a_large_photograph_gives_the_faces_of_all_its_pixels(found: Networks, side: int) -> None:
    """Whether a face is cut from the reduced image, or so small that the image is decoded again."""
    image = np.full((2560, 2560, 3), 127, np.uint8)
    head = ASTRONAUT[20:240, 110:330]
    image[200 : 200 + 4 * side, 300 : 300 + 4 * side] = cv2.resize(head, (4 * side, 4 * side))
    data = encode(image, "JPEG", quality=95)
    small, whole = faces(found, data), faces(found, data, Options(keep_image=True))
    assert (small.width, small.height) == (2560, 2560)
    assert iou(list(small.faces.boxes[0]), list(whole.faces.boxes[0])) > 0.9
    assert np.abs(small.scores[0] - whole.scores[0]).max() < 0.1


def test_a_jpeg_beyond_the_pixel_limit_gives_its_faces(found: Networks) -> None:
    """Also if the face is small, and if the pixels are requested: fewer are returned."""
    image = np.full((6400, 6400, 3), 127, np.uint8)
    assert image.size // 3 > LIMITS.max_pixels
    image[1000:1660, 2000:2660] = cv2.resize(ASTRONAUT[20:240, 110:330], (660, 660))
    data = encode(image, "JPEG")
    small, kept = faces(found, data), faces(found, data, Options(keep_image=True))
    for analysis in (small, kept):
        assert (analysis.width, analysis.height) == (6400, 6400)
        (box,) = analysis.faces.boxes
        assert iou(list(box), [2204, 1117, 2489, 1471]) > 0.7
    assert kept.image is not None
    assert kept.image.shape == (3200, 3200, 3)


def test_a_plan_that_cannot_be_opened_is_an_error(plans: Path, tmp_path: Path) -> None:
    shipped_plans = shipped(plans)
    (tmp_path / "plan.onnx").write_bytes(b"not a plan")
    for plan in shipped_plans.all.values():
        with pytest.raises(PlanDamagedError, match=plan.spec.name):
            OnnxRuntime().open(tmp_path / "plan.onnx", plan.spec)
    with open_networks(OnnxRuntime(), shipped_plans) as found:
        assert found.take_batches() == [], "the batches of opening are not reported"


# The following tests use fake networks.

STRIPES = np.zeros((2560, 2560, 3), np.uint8)
STRIPES[:, ::4] = STRIPES[:, 1::4] = 255


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("side", "embeddings", "seen"),
    [(300, False, False), (12, False, True), (60, False, False), (60, True, True)],
)
def test_small_faces_are_cut_from_more_of_the_image(
    side: float, embeddings: bool, seen: bool, kind: str
) -> None:
    """Stripes of two pixels are grey where a quarter of the pixels is decoded."""
    recorder = Recorder(boxes=[(100, 100, 100 + side, 100 + side)])
    data = encode(STRIPES, kind)
    (found,) = recorded([data], recorder, Options(embeddings=embeddings))
    assert (recorder.crops().std() > 10) == seen
    assert isinstance(found, Analysis)
    assert found.faces.boxes[0] == pytest.approx([400, 400, 400 + 4 * side, 400 + 4 * side])


def recorded(
    sources: Sequence[bytes | U8], recorder: Recorder, options: Options = PLAIN
) -> list[Analysis | ServiceError]:
    results = analyze([Input(source, options) for source in sources], recorder.networks())
    return [result.outcome for result in results]


FINE = encode(np.full((120, 160, 3), 90, np.uint8))


def test_the_error_of_an_image_is_its_outcome_and_affects_no_other_image() -> None:
    large = encode(np.zeros((10_000, 5_000, 3), np.uint8))
    sources = [FINE[:-30], FINE, b"text", large, FINE]
    tasks = [Input(source, Options(embeddings=True)) for source in sources]
    results = analyze(tasks, Recorder().networks())
    kinds = [CorruptImageError, Analysis, UnsupportedMediaTypeError, TooLargeError, Analysis]
    assert [type(result.outcome) for result in results] == kinds
    assert [stages(result) for result in results] == [
        ["decode"] if issubclass(kind, ServiceError) else STAGES for kind in kinds
    ]


STAGES = ["decode", "detect", "align", "classify", "embed"]


def stages(result: Result) -> list[str]:
    assert all(sample.started <= sample.ended for sample in result.samples)
    return [sample.stage for sample in result.samples]


def test_images_share_batches() -> None:
    """The detector has batches of images; faces of all images share those of the others."""
    recorder = Recorder(boxes=[(10, 10, 60, 74), (100, 10, 150, 74), (200, 10, 250, 74)])
    found = recorder.networks(images=2, faces=8)
    tasks = [Input(FINE, Options(embeddings=True)) for _ in range(5)]
    analyze([tasks[0]._replace(source=b"text"), *tasks], found)
    sizes = {task: [len(rows) for rows in each] for task, each in recorder.rows.items()}
    assert sizes["detector"] == [1, 2, 2], "the broken one was in the first two"
    assert sizes["landmarks"] == sizes["emotion"] == sizes["embedder"] == [8, 7]
    batches = found.take_batches()
    assert sorted((batch.network, batch.rows) for batch in batches) == sorted(
        (task, size) for task, each in sizes.items() for size in each
    )
    assert all(batch.queued <= batch.started <= batch.ended for batch in batches)
    assert found.take_batches() == []


def test_only_images_with_the_option_are_embedded() -> None:
    recorder = Recorder()
    tasks = [Input(FINE, Options(embeddings=wanted)) for wanted in (True, False, True)]
    results = [result.outcome for result in analyze(tasks, recorder.networks())]
    assert len(np.concatenate(recorder.rows["embedder"])) == 2
    assert [isinstance(r, Analysis) and r.embeddings is not None for r in results] == [
        task.options.embeddings for task in tasks
    ]


def test_there_is_a_heartbeat_before_every_step() -> None:
    recorder = Recorder()
    analyze([Input(FINE, Options(embeddings=True))] * 3, recorder.networks(images=2, faces=1))
    batches = [at for at, event in enumerate(recorder.events) if event != "beat"]
    assert all(recorder.events[at - 1] == "beat" for at in batches)
    beats = recorder.events.count("beat")
    assert beats == len(batches) + 2 * 3, "and before each image is decoded and selected from"


def test_rows_are_written_into_the_memory_of_the_runner() -> None:
    plain, staging = Recorder(), Recorder()
    tasks = [Input(source, Options(embeddings=True)) for source in (FINE, ASTRONAUT, HOPPER)]
    one = analyze(tasks, plain.networks(images=2))
    other = analyze(tasks, staging.networks(images=2, kind=BufferedRunner))
    assert all(same(a.outcome, b.outcome) for a, b in zip(one, other, strict=True))
    for task, rows in plain.rows.items():
        assert all(equal(a, b) for a, b in zip(rows, staging.rows[task], strict=True))


def test_a_runner_that_can_be_started_classifies_while_landmarks_are_placed() -> None:
    plain, starting = Recorder(), Recorder()
    tasks = [Input(source, Options(embeddings=True)) for source in (FINE, ASTRONAUT)]
    one = analyze(tasks, plain.networks())
    other = analyze(tasks, starting.networks(kind=StartingRunner))
    assert all(same(a.outcome, b.outcome) for a, b in zip(one, other, strict=True))
    ran = [event for event in starting.events if event != "beat"]
    assert ran.index("start emotion") < ran.index("landmarks") < ran.index("emotion")
    assert plain.rows["emotion"][0].tobytes() == starting.rows["emotion"][0].tobytes()


def test_a_runner_that_can_be_started_gets_many_faces_in_pieces() -> None:
    recorder = Recorder()
    results = analyze([Input(FINE, PLAIN)] * 3, recorder.networks(faces=2, kind=StartingRunner))
    assert [len(rows) for rows in recorder.rows["emotion"]] == [2, 1]
    assert all(isinstance(result.outcome, Analysis) for result in results)


@pytest.mark.parametrize("task", ["detector", "landmarks", "emotion", "embedder"])
def test_the_error_of_an_engine_is_raised(task: str) -> None:
    recorder = Recorder(fails=lambda each: each == task)
    with pytest.raises(RuntimeError, match="broken"):
        recorded([FINE], recorder, Options(embeddings=True))


def test_upright_pixels_are_returned_only_on_request() -> None:
    (without,) = recorded([encode(STRIPES, "PNG")], Recorder())
    (kept,) = recorded([encode(STRIPES, "PNG")], Recorder(), Options(keep_image=True))
    (own,) = recorded([STRIPES], Recorder(), Options(keep_image=True))
    assert isinstance(without, Analysis)
    assert isinstance(kept, Analysis)
    assert isinstance(own, Analysis)
    assert without.image is None
    assert equal(kept.image, STRIPES)
    assert equal(own.image, STRIPES)


def test_no_images_give_no_results() -> None:
    recorder = Recorder()
    assert analyze([], recorder.networks()) == []
    assert recorder.events == []
