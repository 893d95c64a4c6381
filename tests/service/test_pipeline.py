"""The pipeline in every topology: an image has the same faces alone and beside others."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import analysis.image
from analysis import decode
from analysis.decode import Picture
from analysis.errors import (
    CorruptImageError,
    DeadlineExceededError,
    ServiceError,
    ShuttingDownError,
    UnsupportedMediaTypeError,
)
from analysis.jpegs.types import JpegDecoder
from analysis.limits import ImageLimits, Side
from analysis.timing import Batch
from analysis.types import Analysis, Input, Options, Source
from analysis.workers.job import Job
from analysis.workers.observer import Observer
from analysis.workers.pipeline import Pipeline
from bench.fakes import instant, simulated
from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import ModelSpec
from service.factory.pipeline import IMAGES_PER_WORKER
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import Tracing
from tests.analysis.pictures import BOXES, HOPPER
from tests.observability.samples import read_samples
from tests.photographs import ASTRONAUT_FILE, encode, iou, read
from tests.service.pipelines import (
    EMBEDDINGS,
    IMAGES,
    Outcome,
    analyze,
    found,
    running,
)
from tests.service.topologies import BOTH, Topology

pytestmark = pytest.mark.asyncio(loop_scope="module")
DETECTOR = {"network": "detector"}


class Full(OnnxRuntime):
    """Takes only images of the full height of the detector, like a device."""

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        return super().heights(spec)[-1:]


def same(a: Outcome, b: Outcome) -> bool:
    """Return whether two outcomes are equal to the last bit."""
    if isinstance(a, ServiceError) or isinstance(b, ServiceError):
        return type(a) is type(b) and str(a) == str(b)
    arrays = [(*each.faces, each.scores, each.embeddings, each.image) for each in (a, b)]
    return (a.width, a.height) == (b.width, b.height) and all(
        one is other if one is None or other is None else np.array_equal(one, other)
        for one, other in zip(*arrays, strict=True)
    )


@pytest.fixture(scope="module", params=BOTH)
def topology(request: pytest.FixtureRequest) -> Topology:
    chosen: Topology = request.param
    return chosen


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pipeline(topology: Topology, plans: Path) -> AsyncIterator[Pipeline]:
    async with running(plans, topology) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alone(pipeline: Pipeline) -> list[Outcome]:
    """Return the outcome of each image alone."""
    return [await analyze(pipeline, data, EMBEDDINGS) for data in IMAGES]


@given(chosen=st.lists(st.sampled_from(range(len(IMAGES))), min_size=2, max_size=24))
@settings(max_examples=10)
async def test_an_image_gives_the_same_alone_as_beside_any_others(
    pipeline: Pipeline, alone: list[Outcome], chosen: list[int]
) -> None:
    together = await asyncio.gather(*(analyze(pipeline, IMAGES[i], EMBEDDINGS) for i in chosen))
    for index, result in zip(chosen, together, strict=True):
        assert same(alone[index], result)


async def test_every_topology_gives_the_same(
    plans: Path, topology: Topology, alone: list[Outcome]
) -> None:
    """A device takes only images of the full height, and so does the engine it is compared with."""
    async with running(plans, engine=Full() if topology == "device" else None) as threads:
        others = [await analyze(threads, data, EMBEDDINGS) for data in IMAGES]
    assert [same(*pair) for pair in zip(alone, others, strict=True)] == [True] * len(IMAGES)


async def test_options_are_those_of_each_image(pipeline: Pipeline, alone: list[Outcome]) -> None:
    options = [Options(), EMBEDDINGS, Options(keep_image=True), Options(max_faces=1)] * 3
    results = await asyncio.gather(*(found(pipeline, IMAGES[2], each) for each in options))
    for each, result in zip(options, results, strict=True):
        assert (result.embeddings is not None) == each.embeddings
        assert (result.image is not None) == each.keep_image
        assert len(result.scores) == (1 if each.max_faces == 1 else 6)
    assert same(results[1], alone[2])


async def test_crowds_are_never_refused_for_their_faces(plans: Path, topology: Topology) -> None:
    async with running(plans, topology, engine=instant("30"), max_queue=4) as pipeline:
        results = await asyncio.gather(*(analyze(pipeline, IMAGES[0]) for _ in range(40)))
    assert [len(r.scores) if isinstance(r, Analysis) else r for r in results] == [30] * 40


async def test_a_device_merges_the_rows_of_several_workers(plans: Path) -> None:
    metrics = Metrics()
    async with running(plans, "device", engine=simulated("50,1,0"), metrics=metrics) as pipeline:
        results = await asyncio.gather(*(found(pipeline, IMAGES[0]) for _ in range(48)))
    assert len(results) == 48
    samples = read_samples(metrics.render().decode())
    assert (DETECTOR, 48) in samples["emotions_batch_items_sum"]
    (batches,) = [n for each, n in samples["emotions_batch_items_count"] if each == DETECTOR]
    of_one_worker = DETECTOR | {"le": f"{IMAGES_PER_WORKER}.0"}
    assert (of_one_worker, batches) not in samples["emotions_batch_items_bucket"]


async def test_every_face_of_a_group_is_found_where_it_is(pipeline: Pipeline) -> None:
    result = await found(pipeline, IMAGES[2])
    assert (result.width, result.height) == (768, 512)
    for wanted in BOXES:
        assert max(iou(list(box), wanted) for box in result.faces.boxes) > 0.6
    assert result.scores.shape == (len(result.faces.boxes), 7)
    assert np.allclose(result.scores.sum(axis=1), 1, atol=1e-5)


async def test_min_score_and_max_faces(pipeline: Pipeline) -> None:
    assert len((await found(pipeline, IMAGES[2], Options(max_faces=2))).scores) == 2
    assert len((await found(pipeline, IMAGES[2], Options(min_score=1.0))).scores) == 0


async def test_embeddings_are_normalised_and_distinguish_people(pipeline: Pipeline) -> None:
    same_person = await found(pipeline, IMAGES[2], EMBEDDINGS)
    other = await found(pipeline, IMAGES[1], EMBEDDINGS)
    empty = await found(pipeline, IMAGES[4], EMBEDDINGS)
    assert same_person.embeddings is not None
    assert other.embeddings is not None
    assert empty.embeddings is not None
    assert len(empty.embeddings) == 0
    assert np.allclose(np.linalg.norm(same_person.embeddings, axis=1), 1, atol=1e-5)
    likeness = same_person.embeddings @ same_person.embeddings.T
    assert likeness.min() > (same_person.embeddings @ other.embeddings.T).max()


async def test_a_bad_image_has_a_typed_error(pipeline: Pipeline) -> None:
    assert isinstance(await analyze(pipeline, IMAGES[5]), CorruptImageError)
    assert isinstance(await analyze(pipeline, IMAGES[6]), UnsupportedMediaTypeError)


async def test_pixels_come_back_if_they_are_wanted(pipeline: Pipeline) -> None:
    result = await found(pipeline, IMAGES[1], Options(keep_image=True))
    assert result.image is not None
    assert np.array_equal(result.image, HOPPER)


async def test_pixels_are_taken_like_an_image(pipeline: Pipeline, alone: list[Outcome]) -> None:
    image = read(ASTRONAUT_FILE)
    frames = [image, np.asfortranarray(image)]
    results = await asyncio.gather(*(analyze(pipeline, each, EMBEDDINGS) for each in frames * 3))
    assert [same(alone[0], result) for result in results] == [True] * 6


async def test_a_scene_turned_on_its_side_gives_upright_boxes(
    pipeline: Pipeline, alone: list[Outcome]
) -> None:
    """EXIF orientation 6: stored rotated to the left, shown upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.ascontiguousarray(np.rot90(read(ASTRONAUT_FILE)))
    result = await analyze(pipeline, encode(turned, "PNG", exif=exif.tobytes()), EMBEDDINGS)
    assert same(alone[0], result)


@pytest.mark.parametrize(("side", "decoded"), [(512, 1), (60, 2)])
async def test_a_large_photograph_is_decoded_whole_only_for_small_faces(
    plans: Path, side: int, decoded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A face of at least 512 / 8 pixels is cut from the reduced image, a smaller one is not."""
    image = np.full((2560, 2560, 3), 127, np.uint8)
    head = read(ASTRONAUT_FILE)[20:240, 110:330]
    image[200 : 200 + 4 * side, 300 : 300 + 4 * side] = cv2.resize(head, (4 * side, 4 * side))
    data = encode(image, "JPEG", quality=95)
    sides: list[Side | None] = []
    original = decode.open_source

    def counted(
        source: Source, limits: ImageLimits, side: Side | None, gpu: JpegDecoder | None
    ) -> Picture:
        sides.append(side)
        return original(source, limits, side, gpu)

    monkeypatch.setattr(analysis.image, "open_source", counted)
    async with running(plans) as pipeline:
        small = await found(pipeline, data)
        assert len(sides) == decoded
        large = await found(pipeline, data, Options(keep_image=True))
    assert (small.width, small.height) == (2560, 2560)
    assert iou(list(small.faces.boxes[0]), list(large.faces.boxes[0])) > 0.9
    assert np.abs(small.scores[0] - large.scores[0]).max() < 0.1


async def test_it_is_ready_until_it_closes(plans: Path, topology: Topology) -> None:
    metrics = Metrics()
    async with running(plans, topology, metrics=metrics) as pipeline:
        assert pipeline.ready == dict.fromkeys(
            ("detector", "landmarks", "emotion", "embedder"), True
        )
        assert read_samples(metrics.render().decode())["emotions_workers_ready"] == [
            ({}, pipeline.workers)
        ]
    assert not any(pipeline.ready.values())
    assert not pipeline.pool.alive
    with pytest.raises(ShuttingDownError):
        await found(pipeline, IMAGES[0])


async def test_nothing_is_analyzed_past_its_deadline(pipeline: Pipeline) -> None:
    with pytest.raises(DeadlineExceededError):
        await pipeline.analyze(IMAGES[0], Options(), time.monotonic() - 1)


async def test_an_observer_that_fails_ends_nothing(plans: Path) -> None:
    class Failing(Tracing, Observer):
        def observers(self) -> Sequence[Observer]:
            return (self,)

        def batches_ran(self, batches: Sequence[Batch], owners: Sequence[object]) -> None:  # noqa: ARG002
            raise RuntimeError("an observer's own")

    metrics = Metrics()
    async with running(plans, metrics=metrics, tracing=Failing()) as pipeline:
        results = [await found(pipeline, IMAGES[0]) for _ in range(3)]
    assert [len(result.scores) for result in results] == [1] * 3
    samples = read_samples(metrics.render().decode())
    assert samples["emotions_runner_failures_total"] == [({}, 0)]
    batches = {labels["network"]: n for labels, n in samples["emotions_batch_items_count"]}
    assert (batches["landmarks"], batches["emotion"]) == (3, 3)


async def test_a_result_for_a_cancelled_caller_is_dropped(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result comes between the cancellation and the next iteration of the event loop."""
    sent: list[Callable[[Any], None]] = []

    def submit(task: Input, deadline: float, done: Any, owner: object = None) -> Job:
        sent.append(done)
        return Job(task, deadline, done, owner)

    monkeypatch.setattr(pipeline.pool, "submit", submit)
    waiting = asyncio.create_task(pipeline.analyze(IMAGES[0], Options(), math.inf))
    await asyncio.sleep(0)
    waiting.cancel()
    sent[0](DeadlineExceededError("too late"))
    with pytest.raises(asyncio.CancelledError):
        await waiting
