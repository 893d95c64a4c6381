"""Images and networks that tests of the analysis share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from analysis.analyze import analyze
from analysis.close_up import CloseUps
from analysis.detection import Letterbox, fill, fit
from analysis.errors import ServiceError
from analysis.limits import ImageLimits, Side
from analysis.networks import Networks, open_networks
from analysis.plans import ModelPlan, ModelPlans, Rules
from analysis.types import Analysis, DetectorInput, Input, Options, Source
from engines import build
from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import Catalog
from engines.types import U8
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode, group, read

PLAIN = Options()
LIMITS = ImageLimits(max_bytes=32 << 20, max_pixels=40_000_000)
SIZE = (640, 640)
DETECTORS = ("retinaface-mnet025", "retinaface-mnet025-960", "retinaface-mnet025-1280")
TILED, BOXES = group(3, 2)
HOPPER = read(HOPPER_FILE)
IMAGES: list[Source] = [
    ASTRONAUT_FILE.read_bytes(),
    HOPPER_FILE.read_bytes(),
    encode(TILED, "JPEG", quality=95),
    encode(np.ascontiguousarray(HOPPER[::3, ::3]), "PNG"),
    encode(np.full((40, 300, 3), 127, np.uint8)),
    HOPPER_FILE.read_bytes()[:9000],
    b"not an image",
    np.ascontiguousarray(HOPPER[:400]),
]


def rules(
    close_ups: CloseUps = "auto", inputs: Sequence[DetectorInput] = (DetectorInput(SIZE),)
) -> Rules:
    return Rules(LIMITS, tuple(inputs), 0.4, close_ups)


def shipped(
    folder: Path,
    *,
    images: int = 1,
    heights: bool = True,
    close_ups: CloseUps = "auto",
    landmarks: bool = True,
) -> ModelPlans:
    """The shipped models for ONNX Runtime; `images` is the batch of the detector."""
    engine, catalog = OnnxRuntime(), Catalog.load()

    def plan(name: str, batch: int | None = None) -> ModelPlan:
        spec = catalog.get(name)
        return ModelPlan(build.find(spec, engine, folder)[0], spec, batch or engine.batch(spec))

    detector, *larger = (plan(name, images) for name in DETECTORS)
    inputs = [
        DetectorInput(each.spec.input_size, engine.heights(each.spec) if heights else ())
        for each in (detector, *larger)
    ]
    return ModelPlans(
        detector,
        plan("emotion-fer48"),
        rules(close_ups, inputs),
        plan("landmarks-64") if landmarks else None,
        plan("arcface-mobilefacenet"),
        tuple(larger),
    )


@contextmanager
def networks(plans: ModelPlans) -> Iterator[Networks]:
    with open_networks(OnnxRuntime(), plans) as found:
        yield found


def outcome(found: Networks, source: Source, options: Options = PLAIN) -> Analysis | ServiceError:
    (result,) = analyze([Input(source, options)], found)
    return result.outcome


def faces(found: Networks, source: Source, options: Options = PLAIN) -> Analysis:
    analysis = outcome(found, source, options)
    assert isinstance(analysis, Analysis), analysis
    return analysis


def same(one: Analysis | ServiceError, other: Analysis | ServiceError) -> bool:
    """Whether two outcomes are the same to the last bit."""
    if isinstance(one, ServiceError) or isinstance(other, ServiceError):
        return type(one) is type(other) and str(one) == str(other)
    return all(equal(a, b) for a, b in zip(flat(one), flat(other), strict=True))


def flat(analysis: Analysis) -> list[object]:
    """Every value of an analysis."""
    return [*analysis._replace(faces=None), *analysis.faces]  # type: ignore[arg-type]


def equal(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        kinds = (one.dtype, one.shape) == (other.dtype, other.shape)
        return kinds and one.tobytes() == other.tobytes()
    return one is None if other is None else bool(one == other)


def at(pixels: int) -> Side:
    """The same longer side for every image."""
    return lambda *_: pixels


def letterbox(image: U8, heights: Sequence[int] = ()) -> tuple[U8, Letterbox]:
    """The detector's input for an image, and the image's place in it."""
    box, shape = fit(image.shape[1], image.shape[0], DetectorInput(SIZE, tuple(heights)))
    canvas = np.zeros(shape, np.uint8)
    fill(image, box, canvas)
    return canvas, box
