"""Export a trained network to ONNX: uint8 faces in, calibrated scores out."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import keras
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from engines.accuracy import softmax
from engines.fer2013 import LABELS
from training.emotion.predict import predict

OPSET = 17
SIDE = 48


def export(
    model: keras.Model, path: Path, temperature: float = 1.0, about: dict[str, str] | None = None
) -> float:
    """Write ``path``; return the largest difference to Keras over 64 random faces.

    The file has one input ``faces`` uint8 (N, 48, 48) and one output ``scores``
    float32 (N, 7), softmax(logits / temperature), N dynamic. Its metadata holds
    ``labels`` (comma separated), ``temperature`` and what ``about`` adds.

    Raises:
        RuntimeError: Keras does not run on TensorFlow, which tf2onnx reads.
        ValueError: the graph's scores differ from Keras by more than 1e-4.

    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError("tf2onnx reads TensorFlow graphs: set KERAS_BACKEND=tensorflow")
    faces = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE)).astype(np.uint8)
    expected = softmax(predict(model, faces) / temperature)
    _fold_temperature(model, temperature)
    proto = to_onnx(model)
    _fold_temperature(model, 1 / temperature)
    _describe(proto, {"labels": ",".join(LABELS), "temperature": f"{temperature}"} | (about or {}))
    difference = float(np.abs(_scores(proto, faces) - expected).max())
    if difference > 1e-4:
        raise ValueError(f"the exported graph differs from Keras by {difference:.2e}")
    temporary = path.with_name(path.name + ".partial")
    onnx.save(proto, temporary)
    temporary.replace(path)
    return difference


def to_onnx(model: keras.Model) -> onnx.ModelProto:
    """Return the model with a softmax behind its logits as a checked ONNX graph."""
    import tensorflow as tf  # noqa: PLC0415 - the other backend trains without it
    import tf2onnx  # noqa: PLC0415

    spec = tf.TensorSpec((None, SIDE, SIDE), tf.uint8, name="faces")
    function = tf.function(lambda faces: tf.nn.softmax(model(faces, training=False)))
    proto, _ = tf2onnx.convert.from_function(function, input_signature=[spec], opset=OPSET)
    _rename_output(proto, "scores")
    for value, rest in (
        (proto.graph.input[0], (SIDE, SIDE)),
        (proto.graph.output[0], (len(LABELS),)),
    ):
        _set_shape(value, rest)
    onnx.checker.check_model(proto, full_check=True)
    return cast("onnx.ModelProto", proto)


def _fold_temperature(model: keras.Model, temperature: float) -> None:
    logits = model.get_layer("logits")
    logits.set_weights([weights / temperature for weights in logits.get_weights()])


def _rename_output(proto: onnx.ModelProto, name: str) -> None:
    old = proto.graph.output[0].name
    for node in proto.graph.node:
        node.output[:] = [name if each == old else each for each in node.output]
    proto.graph.output[0].name = name


def _set_shape(value: onnx.ValueInfoProto, rest: tuple[int, ...]) -> None:
    dimensions = value.type.tensor_type.shape
    del dimensions.dim[:]
    dimensions.dim.add().dim_param = "N"
    for size in rest:
        dimensions.dim.add().dim_value = size


def _describe(proto: onnx.ModelProto, entries: dict[str, str]) -> None:
    for key, value in entries.items():
        proto.metadata_props.add(key=key, value=value)


def _scores(proto: onnx.ModelProto, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    scores: npt.NDArray[np.float32] = session.run(["scores"], {"faces": faces})[0]
    return scores
