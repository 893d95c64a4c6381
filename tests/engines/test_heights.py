"""Heights of the detector's input: which ones an engine takes, and equal answers at each."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines import build, heights
from engines.backends.onnxruntime import OnnxRuntime, OnnxRuntimeRunner
from engines.backends.tensorrt.engine import TensorRT
from engines.catalog import Catalog, ModelSpec
from engines.errors import EngineError, LibraryMissingError, ParityError, RunnerError
from engines.network import graph
from engines.plan import resolve
from engines.probe_inputs import probe
from engines.select import load_engine
from engines.types import Array, Feeds, Runner
from engines.weights import WeightsFile

CATALOG = Catalog.load()
DETECTOR = CATALOG.get("retinaface-mnet025")
FULL = (640,)


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def runner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    try:
        engine = load_engine(request.param)
    except LibraryMissingError:
        pytest.skip("the extra openvino is not installed")
    built = build.build(DETECTOR, engine, tmp_path_factory.mktemp("plans"), precision="fp32")
    with engine.open(built.path, DETECTOR) as opened:
        yield opened


def upper(height: int) -> Array:
    return np.ascontiguousarray(probe(DETECTOR)[:, :height])


def test_engines_on_a_cpu_take_lower_images_and_tensorrt_does_not() -> None:
    assert OnnxRuntime().heights(DETECTOR) == tuple(range(64, 641, 32))
    assert heights.common(DETECTOR) == (288, 384, 480, 640)
    wide = msgspec.structs.replace(DETECTOR, options={"size": [320, 640], "candidates": 1000})
    assert heights.common(wide) == (288, 320)
    assert TensorRT.heights(None, DETECTOR) == FULL  # type: ignore[arg-type]  # needs no GPU


@pytest.mark.parametrize(
    ("name", "only"),
    [("uniface-retinaface-r34", 640), ("emotion-fer48", 48), ("arcface-mobilefacenet", 112)],
)
def test_other_graphs_have_one_height(name: str, only: int) -> None:
    assert heights.every(CATALOG.get(name)) == heights.common(CATALOG.get(name)) == (only,)


def test_wrong_options_are_named() -> None:
    wrong = msgspec.structs.replace(DETECTOR, options={"candidates": "many"})
    with pytest.raises(EngineError, match="retinaface-mnet025: wrong options"):
        heights.every(wrong)


def test_every_height_gives_what_a_graph_of_that_height_gives(runner: Runner) -> None:
    source = WeightsFile.of(DETECTOR.root / str(DETECTOR.weights))
    for height in FULL[0], 480, 288:
        options = {"size": [height, 640], "candidates": 1000}
        lower = msgspec.structs.replace(DETECTOR, options=options)
        with build.reference(lower, graph(lower, source)) as reference:
            expected = reference.infer({"images": upper(height)[:1]})
        found = runner.infer({"images": upper(height)[:1]})
        for name, values in expected.items():
            faces = expected["scores"][0] > 0.5
            assert faces.any()
            np.testing.assert_allclose(found[name][0][faces], values[0][faces], atol=0.05)


def test_images_of_one_height_are_answered_alike_alone_and_together(runner: Runner) -> None:
    for height in (384, 640, 288, 384):
        together = runner.infer({"images": upper(height)})
        for i in range(4):
            alone = runner.infer({"images": upper(height)[i : i + 1]})
            assert all(np.array_equal(alone[name][0], together[name][i]) for name in alone)
    with pytest.raises(RunnerError):
        runner.infer({"images": np.zeros((1, 300, 640, 3), np.uint8)})


class WrongBelow(OnnxRuntimeRunner):
    """Right only at the full height."""

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        outputs = super().infer(feeds)
        if feeds["images"].shape[1] < max(FULL):
            outputs["boxes"] = outputs["boxes"] + 40
        return outputs


def test_a_plan_that_is_wrong_at_a_lower_height_is_not_put_in_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def wrong(_: OnnxRuntime, path: Path, spec: ModelSpec) -> Runner:
        return WrongBelow(path, spec)

    monkeypatch.setattr(OnnxRuntime, "open", wrong)
    with pytest.raises(ParityError, match="iou"):
        build.build(DETECTOR, OnnxRuntime(), tmp_path)
    assert not list(tmp_path.rglob("retinaface*"))


def test_plans_of_one_and_of_several_heights_have_other_fingerprints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = resolve(DETECTOR, OnnxRuntime(), tmp_path).fingerprint
    monkeypatch.setattr(OnnxRuntime, "heights", lambda *_: FULL)
    static = resolve(DETECTOR, OnnxRuntime(), tmp_path).fingerprint
    assert (free.heights[-1], static.heights) == (640, ())
    assert free.digest != static.digest
