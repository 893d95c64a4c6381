"""Landmarks placed by a network of their own, on real faces and through the pipeline."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engines import build
from engines.errors import CatalogError, EngineError, WeightsMissing
from engines.runner import Array
from service.landmarks import SIDE, TEMPLATE, eyes, placed, warm
from service.pipeline import Analysis, Pipeline
from service.settings import Settings
from service.startup import find_models
from tensorrtx.layers import Graph
from tests.photographs import ASTRONAUT_FILE, read
from tests.service.test_pipeline import analyze, running
from tests.training.emotion.test_shipped import multiply_adds

NETWORK = Path(__file__).parents[2] / "engines" / "models" / "landmarks-64.onnx"
ASTRONAUT = read(ASTRONAUT_FILE)
# Marked by hand on the photograph: pupils, tip of the nose, corners of the mouth.
MARKED = np.array([[203.5, 101.0], [246.5, 103.3], [223.5, 128.0], [202.7, 139.5], [244.5, 141.3]])
APART = 43.0  # of the eyes


def error(points: np.ndarray) -> float:
    return float(np.linalg.norm(points - MARKED, axis=1).mean() / APART)


@settings(max_examples=20, deadline=None)
@given(
    shift=st.tuples(st.floats(-0.12, 0.12), st.floats(-0.12, 0.12)),
    zoom=st.floats(0.9, 1.1),
    seed=st.integers(0, 99),
)
def test_a_face_is_marked_wherever_near_it_the_guess_is(
    shift: tuple[float, float], zoom: float, seed: int
) -> None:
    scatter = np.random.default_rng(seed).normal(0, 0.06, (5, 2))
    guess = (MARKED - MARKED.mean(0)) * zoom + MARKED.mean(0) + APART * (np.array(shift) + scatter)
    (points,) = placed(NETWORK, ASTRONAUT, guess[None].astype(np.float32))
    assert error(points) < 0.09


def test_a_turned_picture_is_marked_alike() -> None:
    guess = MARKED.astype(np.float32)
    (upright,) = placed(NETWORK, ASTRONAUT, guess[None])
    side = len(ASTRONAUT)
    turned = np.ascontiguousarray(np.rot90(ASTRONAUT))  # x, y to y, side - x
    corner = np.stack([guess[:, 1], side - guess[:, 0]], 1)
    (points,) = placed(NETWORK, turned, corner[None])
    assert points == pytest.approx(np.stack([upright[:, 1], side - upright[:, 0]], 1), abs=0.6)


def test_a_guess_stays_where_there_is_too_little_to_see() -> None:
    tiny = (TEMPLATE / SIDE * 3 + 100).astype(np.float32)
    assert eyes(tiny) < 2
    assert np.array_equal(placed(NETWORK, ASTRONAUT, tiny[None])[0], tiny)


def steady(moved: tuple[float, float], path: Path) -> Path:
    """A network that moves all landmarks alike."""
    graph = Graph()
    kernel = np.zeros((10, 3, SIDE, SIDE))
    flat = graph.conv("last", graph.pixels("faces", (0.0,) * 3), kernel, bias=np.tile(moved, 5))
    points = graph.node("Reshape", flat, graph.numbers(-1, 5, 2))
    source = ("faces", onnx.TensorProto.UINT8, ("batch", SIDE, SIDE, 3))
    onnx.save(graph.model("steady", source, {"moved": (points, ("batch", 5, 2))}), path)
    return path


def test_what_moves_is_looked_at_again_and_what_moves_away_is_another_face(tmp_path: Path) -> None:
    guess = (2 * TEMPLATE + 100).astype(np.float32)
    near, twice, far = (
        steady((share * eyes(TEMPLATE), 0), tmp_path / f"{share}.onnx")
        for share in (0.09, 0.24, 0.26)
    )
    for network, share in ((near, 0.09), (twice, 0.48)):
        (moved,) = placed(network, ASTRONAUT, guess[None])
        wanted = np.tile([2 * share * eyes(TEMPLATE), 0], (5, 1))
        assert moved - guess == pytest.approx(wanted, abs=0.1)
    assert np.array_equal(placed(far, ASTRONAUT, guess[None])[0], guess)


@settings(max_examples=60, deadline=None)
@given(
    points=arrays(np.float32, (1, 5, 2), elements=st.floats(-1e4, 1e4, width=32)),
    kind=st.sampled_from(["any", "mirrored", "point", "line", "nan"]),
)
def test_whatever_is_taken_for_landmarks_gives_landmarks(points: Array, kind: str) -> None:
    match kind:
        case "mirrored":
            points = (MARKED * [-1, 1]).astype(np.float32) + points[:, :1]
        case "point":
            points = np.repeat(points[:, :1], 5, 1)
        case "line":
            points = points[:, :1] * np.linspace(0, 1, 5, dtype=np.float32)[:, None]
        case "nan":
            points = points * np.nan
    found = placed(NETWORK, ASTRONAUT, points)
    assert found.shape == points.shape
    assert np.isfinite(found).all() or kind == "nan"
    if kind in {"point", "nan"}:
        assert np.array_equal(found, points, equal_nan=True)


def test_no_faces_are_no_landmarks() -> None:
    none = placed(NETWORK, ASTRONAUT, np.empty((0, 5, 2), np.float32))
    assert none.shape == (0, 5, 2)


async def landmarks(pipeline: Pipeline, data: bytes) -> np.ndarray:
    result = await analyze(pipeline, data)
    assert isinstance(result, Analysis)
    (points,) = result.faces.landmarks
    return np.asarray(points)


async def test_the_pipeline_places_landmarks_unless_told_not_to(plans: Path) -> None:
    data = ASTRONAUT_FILE.read_bytes()
    async with running(plans) as by_default, running(plans, landmarks="none") as left:
        default, raw = await landmarks(by_default, data), await landmarks(left, data)
    assert error(default) < error(raw)
    assert error(default) < 0.05


def test_a_network_of_another_kind_is_refused(plans: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="does not place landmarks"):
        warm(NETWORK.with_name("emotion-fer48.onnx"))
    catalog = tmp_path / "mine.toml"
    catalog.write_text(
        '[[model]]\nname = "mine"\ntask = "landmarks"\nnetwork = "onnx"\nversion = "1"\n'
        f'licence = "mine"\nweights = "{NETWORK.with_name("emotion-fer48.onnx")}"\nbatches = [1]\n'
    )
    wrong = Settings(plans=plans, engine="onnxruntime", catalog=catalog, landmarks="mine")
    with pytest.raises(WeightsMissing, match="does not place landmarks"):
        find_models(wrong)
    with pytest.raises(CatalogError, match="is a model for the task emotion"):
        find_models(Settings(plans=plans, engine="onnxruntime", landmarks="emotion-fer48"))


def test_there_is_nothing_to_build(plans: Path) -> None:
    models = find_models(Settings(plans=plans, engine="onnxruntime"))
    assert models.landmarks is not None
    for command in (build.build, build.reverify):
        with pytest.raises(EngineError, match="nothing to build or verify"):
            command(models.landmarks.spec, models.engine, plans)


def test_it_is_small_enough_for_a_core() -> None:
    assert NETWORK.stat().st_size <= 2_000_000
    assert multiply_adds(onnx.load(NETWORK)) <= 27_000_000
