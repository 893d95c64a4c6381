"""A network that does not do its task is refused before it is compiled."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines import build, contract
from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import Catalog, ModelSpec
from engines.errors import EngineError
from engines.network import graph
from engines.probe_inputs import probe
from engines.weights import WeightsFile
from tests.engines import seeded

CATALOG = Catalog.load()
MODELS = CATALOG.get("emotion-fer48").root / "models"
FACES = ("N", 64, 64, 3)


@pytest.mark.parametrize("name", [spec.name for spec in CATALOG if spec.weights])
def test_shipped_networks_have_the_outputs_of_their_task(name: str) -> None:
    spec = CATALOG.get(name)
    model = seeded.graph(spec)
    assert [value.name for value in model.graph.input] == [spec.input_name]
    assert [value.name for value in model.graph.output] == list(contract.outputs(spec))


def placer(path: Path, source: tuple[Any, ...], output: tuple[Any, ...], **names: str) -> Path:
    """A graph that gives zeros of the `output` shape for each item."""
    takes, gives = names.get("takes", "faces"), names.get("gives", "moved")
    zeros = numpy_helper.from_array(np.zeros((1, *output[1:]), np.float32), "zeros")
    shape = numpy_helper.from_array(np.ones(len(output) - 1, np.int64), "ones")
    nodes = [
        helper.make_node("Shape", [takes], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "ones"], ["shape"], axis=0),
        helper.make_node("Expand", ["zeros", "shape"], [gives]),
    ]
    made = helper.make_graph(
        nodes,
        "placer",
        [helper.make_tensor_value_info(takes, TensorProto.UINT8, source)],
        [helper.make_tensor_value_info(gives, TensorProto.FLOAT, output)],
        [zeros, shape],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def entry(weights: Path, base: str = "landmarks-64", **changes: Any) -> ModelSpec:
    given = {"name": "mine", "network": "onnx", "weights": str(weights), "sha256": None, **changes}
    return msgspec.structs.replace(CATALOG.get(base), **given)


@pytest.mark.parametrize(
    ("source", "output", "names"),
    [
        (("N", 48, 48), ("N", 5, 2), {}),
        (("N", 64, 64, 1), ("N", 5, 2), {}),
        (FACES, ("N", 10), {}),
        (FACES, ("N", 4, 2), {}),
        (FACES, ("N", 5, 3), {}),
        ((1, 64, 64, 3), (1, 5, 2), {}),
        (FACES, ("N", 5, 2), {"takes": "images"}),
    ],
)
def test_other_networks_do_not_place_landmarks(
    source: tuple[Any, ...], output: tuple[Any, ...], names: dict[str, str], tmp_path: Path
) -> None:
    spec = entry(placer(tmp_path / "mine.onnx", source, output, **names))
    with pytest.raises(
        EngineError,
        match=r"mine does not place landmarks: .* to float32 moved \(.* EMOTIONS_LANDMARKS",
    ):
        build.build(spec, OnnxRuntime(), tmp_path)
    assert not list(tmp_path.rglob("mine-*"))


@pytest.mark.parametrize(
    ("base", "file", "changes", "message"),
    [
        ("landmarks-64", "emotion-fer48.onnx", {}, r"landmarks: .* found uint8 faces \(\*, 48, 48"),
        ("emotion-fer48", "landmarks-64.onnx", {}, r"read emotions: .*moved \(\*, 5, 2\)"),
        ("emotion-fer48", "emotion-fer48.onnx", {"labels": ("a", "b")}, r"scores \(\*, 2\), found"),
        ("arcface-mobilefacenet", "emotion-fer48.onnx", {"weights_options": {}}, "embed faces"),
        ("retinaface-mnet025", "emotion-fer48.onnx", {"options": {}}, "find faces"),
    ],
)
def test_a_network_of_another_task_is_refused(
    base: str, file: str, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=rf"mine does not .*{message}"):
        build.build(entry(MODELS / file, base, **changes), OnnxRuntime(), tmp_path)


@pytest.mark.parametrize("gives", ["moved", "offsets", "anything"])
def test_a_single_output_may_have_any_name_in_the_file(gives: str, tmp_path: Path) -> None:
    spec = entry(placer(tmp_path / "mine.onnx", FACES, ("N", 5, 2), gives=gives))
    built = build.build(spec, OnnxRuntime(), tmp_path)
    with OnnxRuntime().open(built.path, spec) as runner:
        found = runner.infer({"faces": probe(spec)[:3]})
    assert {name: values.shape for name, values in found.items()} == {"offsets": (3, 5, 2)}


def test_more_outputs_than_those_of_the_task_are_allowed(tmp_path: Path) -> None:
    path = placer(tmp_path / "mine.onnx", FACES, ("N", 5, 2), gives="offsets")
    model = onnx.load(path)
    model.graph.output.append(helper.make_tensor_value_info("rows", TensorProto.INT64, (1,)))
    onnx.save(model, path)
    assert len(graph(entry(path), WeightsFile.of(path)).graph.output) == 2
    model.graph.output[0].name = "moved"
    model.graph.node[-1].output[0] = "moved"
    onnx.save(model, path)
    with pytest.raises(EngineError, match="does not place landmarks"):
        graph(entry(path), WeightsFile.of(path))
