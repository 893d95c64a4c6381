"""Batch invariance: an image gives the same faces alone as beside any others."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.hollow import HollowRunner
from engines.catalog import ModelSpec
from engines.onnxruntime import OnnxRuntime
from engines.runner import Array, Feeds
from service import image as images
from service.errors import CorruptImage, Overloaded, ServiceError
from service.metrics import Metrics
from service.pipeline import Analysis, Pipeline
from service.settings import Settings
from service.stages import Options
from service.startup import find_models
from service.wiring import open_pipeline
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, U8, encode, group, iou, read

TILED, BOXES = group(3, 2)
HOPPER = read(HOPPER_FILE)
IMAGES = [
    ASTRONAUT_FILE.read_bytes(),
    HOPPER_FILE.read_bytes(),
    encode(TILED, "JPEG", quality=95),
    encode(np.ascontiguousarray(HOPPER[::3, ::3]), "PNG"),
    encode(np.full((40, 300, 3), 127, np.uint8)),
    HOPPER_FILE.read_bytes()[:9000],
    b"not an image",
]


class Full(OnnxRuntime):
    """Takes images of the detector's full height alone."""

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        return super().heights(spec)[-1:]


class Batching(Full):
    """As a GPU's engine has it: images in batches, so that the stages are apart."""

    def batch(self, spec: ModelSpec) -> int:
        return min(4, spec.max_batch)


class CrowdRunner(HollowRunner):
    """Sees fifty faces in every image, and reads them slowly."""

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        count = len(next(iter(feeds.values())))
        if self._spec.task == "emotion":
            time.sleep(0.001 * count)
            return super().infer(feeds)
        corners = np.array([(x, y) for x in range(10) for y in range(5)], np.float32) * 20
        boxes = np.concatenate([corners, corners + 15], 1)
        return {
            "scores": np.full((count, 50), 0.9, np.float32),
            "boxes": np.tile(boxes, (count, 1, 1)),
            "landmarks": np.tile(corners[:, None] + 7, (count, 1, 5, 1)),
        }


class Crowds(Batching):
    """Plans that are not run."""

    def open(self, plan: Path, spec: ModelSpec) -> Any:  # noqa: ARG002
        return CrowdRunner(spec)


@asynccontextmanager
async def running(
    plans: Path,
    *,
    staged: bool = False,
    full: bool = False,
    isolated: bool = False,
    engine: OnnxRuntime | None = None,
    metrics: Metrics | None = None,
    **changes: Any,
) -> AsyncIterator[Pipeline]:
    chosen = Settings(plans=plans, engine="onnxruntime", **changes)
    models = find_models(chosen)
    if staged or full or engine:
        models = models._replace(engine=engine or (Batching() if staged else Full()))
    pipeline = open_pipeline(chosen, models, metrics or Metrics(), isolated=isolated)
    pipeline.start()
    try:
        yield pipeline
    finally:
        await asyncio.to_thread(pipeline.close)


async def analyze(pipeline: Pipeline, data: bytes) -> Analysis | ServiceError:
    try:
        return await pipeline.analyze(data, Options(), time.monotonic() + 60)
    except ServiceError as error:
        return error


def same(a: Analysis | ServiceError, b: Analysis | ServiceError) -> bool:
    if isinstance(a, ServiceError) or isinstance(b, ServiceError):
        return type(a) is type(b) and str(a) == str(b)
    arrays = zip((*a.faces, a.scores), (*b.faces, b.scores), strict=True)
    return all(np.array_equal(one, other) for one, other in arrays)


@pytest.mark.parametrize("staged", [False, True])
@given(chosen=st.lists(st.sampled_from(range(len(IMAGES))), min_size=2, max_size=24))
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_image_gives_the_same_alone_as_beside_any_others(
    plans: Path, staged: bool, chosen: list[int]
) -> None:
    async def run() -> None:
        async with running(plans, staged=staged) as pipeline:
            alone = [await analyze(pipeline, data) for data in IMAGES]
            together = await asyncio.gather(*(analyze(pipeline, IMAGES[i]) for i in chosen))
        for index, result in zip(chosen, together, strict=True):
            assert same(alone[index], result)

    asyncio.run(run())


async def test_crowds_that_were_let_in_are_never_refused_for_their_faces(plans: Path) -> None:
    async with running(plans, engine=Crowds(), max_queue=4, workers=4) as pipeline:
        results = await asyncio.gather(*(analyze(pipeline, IMAGES[0]) for _ in range(24)))
    assert [len(r.scores) if isinstance(r, Analysis) else r for r in results] == [50] * 24


async def test_every_face_of_a_group_is_found_where_it_is(plans: Path) -> None:
    async with running(plans) as pipeline:
        result = await pipeline.analyze(IMAGES[2], Options(), time.monotonic() + 60)
    assert (result.width, result.height) == (768, 512)
    for wanted in BOXES:
        assert max(iou(list(box), wanted) for box in result.faces.boxes) > 0.6
    assert result.scores.shape == (len(result.faces.boxes), 7)
    assert np.allclose(result.scores.sum(axis=1), 1, atol=1e-5)


async def test_min_score_and_max_faces(plans: Path) -> None:
    async with running(plans) as pipeline:
        two = await pipeline.analyze(IMAGES[2], Options(max_faces=2), time.monotonic() + 60)
        none = await pipeline.analyze(IMAGES[2], Options(min_score=1.0), time.monotonic() + 60)
    assert len(two.scores) == 2
    assert len(none.scores) == 0


async def test_a_broken_image_is_a_typed_error(plans: Path) -> None:
    async with running(plans) as pipeline:
        assert isinstance(await analyze(pipeline, IMAGES[5]), CorruptImage)


async def test_places_are_limited_and_given_back(plans: Path) -> None:
    async with running(plans, max_queue=4) as pipeline:
        gate = pipeline.gate
        with gate.admit(9), pytest.raises(Overloaded), gate.admit(1):
            pass
        with gate.admit(3), gate.admit(1):
            pass


@pytest.mark.parametrize(("side", "again"), [(512, False), (60, True)])
async def test_a_large_photograph_is_decoded_whole_only_for_small_faces(
    plans: Path, side: int, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A face of 512 / 8 pixels and more is cut from the reduced image; a smaller one is not."""
    image = np.full((2560, 2560, 3), 127, np.uint8)
    head = read(ASTRONAUT_FILE)[20:240, 110:330]
    image[200 : 200 + 4 * side, 300 : 300 + 4 * side] = cv2.resize(head, (4 * side, 4 * side))
    data = encode(image, "JPEG", quality=95)
    decoded: list[int] = []
    whole = images.decode

    def counted(data: bytes, limits: images.ImageLimits) -> U8:
        decoded.append(len(data))
        return whole(data, limits)

    monkeypatch.setattr(images, "decode", counted)
    async with running(plans) as pipeline:
        small = await pipeline.analyze(data, Options(), time.monotonic() + 60)
        assert bool(decoded) == again
        large = await pipeline.analyze(data, Options(keep_image=True), time.monotonic() + 60)
    assert (small.width, small.height) == (2560, 2560)
    assert iou(list(small.faces.boxes[0]), list(large.faces.boxes[0])) > 0.9
    assert np.abs(small.scores[0] - large.scores[0]).max() < 0.1


async def test_a_scene_turned_on_its_side_gives_upright_boxes(plans: Path) -> None:
    """EXIF orientation 6: stored turned left, shown upright."""
    image = read(ASTRONAUT_FILE)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(np.ascontiguousarray(np.rot90(image)), "JPEG", exif=exif.tobytes(), quality=95)
    async with running(plans) as pipeline:
        upright = await pipeline.analyze(IMAGES[0], Options(), time.monotonic() + 60)
        from_exif = await pipeline.analyze(turned, Options(), time.monotonic() + 60)
    assert iou(list(upright.faces.boxes[0]), list(from_exif.faces.boxes[0])) > 0.9
