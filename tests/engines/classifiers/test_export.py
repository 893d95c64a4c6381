"""ONNX files of other programs become emotion networks."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from engines.backends.onnxruntime import OnnxRuntime
from engines.build import build, find
from engines.catalog import ModelSpec
from engines.classifiers.adapt import Pixels, adapted
from engines.classifiers.export import export
from engines.classifiers.image import Image
from tensorrtx import onnx_file
from tests.engines.classifiers.graphs import linear, weights

LABELS = ("happy", "neutral", "sad")
FACES = np.random.default_rng(3).integers(0, 256, (5, 48, 48)).astype(np.uint8)


def saved(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def scores(file: Path) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["scores"], {"faces": FACES})[0])


def expected(
    side: int, channels: int, pixels: Pixels, *, first: bool, integer: bool
) -> np.ndarray[Any, Any]:
    images = np.stack([cv2.resize(face.astype(np.float32), (side, side)) for face in FACES])
    planes = np.repeat(images[:, None], max(channels, 1), axis=1)
    if integer:
        planes = np.trunc(planes)
    else:
        mean, scale = (np.array(each)[:, None, None] for each in pixels)
        planes = (planes - mean) / scale
    rows = planes if first else planes.transpose(0, 2, 3, 1)
    logits = rows.reshape(len(rows), -1) @ weights(side, channels, 3)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@given(
    side=st.integers(8, 240),
    channels=st.sampled_from([0, 1, 3]),
    first=st.booleans(),
    numbers=st.lists(st.floats(1, 200), min_size=6, max_size=6),
    end=st.sampled_from(["", "Softmax", "LogSoftmax"]),
    batch=st.sampled_from(["N", 1]),
    opset=st.sampled_from([7, 13, 17, 20]),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_image_and_any_normalisation(
    tmp_path: Path, side: int, channels: int, numbers: list[float], **given: Any
) -> None:
    means, scales = tuple(numbers[:3]), tuple(numbers[3:])
    pixels = Pixels(means, scales) if channels == 3 else Pixels(means[:1], scales[:1])
    file = saved(tmp_path / "theirs.onnx", linear(side, channels, **given))
    export(file, tmp_path / "own.onnx", LABELS, pixels)
    wanted = expected(side, channels, pixels, first=given["first"], integer=False)
    np.testing.assert_allclose(scores(tmp_path / "own.onnx"), wanted, atol=2e-3)


@given(side=st.integers(1, 600))
def test_runtimes_that_round_differently_agree_on_the_side(side: int) -> None:
    image = Image(side, 1, first=True, kind=TensorProto.FLOAT)
    graph = adapted(onnx_file.freed(linear(side)), image, Pixels(), 3, softmax=True)
    onnx.checker.check_model(graph, full_check=True)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT64])
def test_a_model_of_integers_normalises_itself(kind: int, tmp_path: Path) -> None:
    model = linear(48, 1, kind=kind)
    kernel = model.graph.initializer[0]
    kernel.CopyFrom(
        onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(kernel) / 255, "weights")
    )
    export(saved(tmp_path / "theirs.onnx", model), tmp_path / "own.onnx", LABELS, Pixels((9.0,)))
    wanted = expected(48, 1, Pixels(), first=True, integer=False)
    np.testing.assert_allclose(scores(tmp_path / "own.onnx"), wanted, atol=1e-4)


def test_the_plan_gives_the_same_bits_in_any_batch(tmp_path: Path) -> None:
    file = saved(tmp_path / "theirs.onnx", linear(64, 3, batch=1, opset=20))
    export(file, tmp_path / "own.onnx", LABELS)
    spec = ModelSpec(
        name="own", task="emotion", network="onnx", version="1", licence="mine",
        weights=str(tmp_path / "own.onnx"), batches=(1, 8), labels=LABELS,
    )  # fmt: skip
    build(spec, OnnxRuntime(), tmp_path)
    path, _ = find(spec, OnnxRuntime(), tmp_path)
    with OnnxRuntime().open(path, spec) as runner:
        together = runner.infer({"faces": FACES})["scores"]
        alone = [runner.infer({"faces": face[None]})["scores"][0] for face in FACES]
    assert (together == np.stack(alone)).all()


def test_weights_that_an_old_exporter_lists_as_inputs_are_no_images(tmp_path: Path) -> None:
    model = linear(opset=17)
    for tensor in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    export(saved(tmp_path / "theirs.onnx", model), tmp_path / "own.onnx", LABELS)
    wanted = expected(48, 1, Pixels(), first=True, integer=False)
    np.testing.assert_allclose(scores(tmp_path / "own.onnx"), wanted, atol=1e-4)
