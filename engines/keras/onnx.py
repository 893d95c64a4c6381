"""TensorFlow functions to ONNX with the inputs and outputs of an emotion network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from engines.disk import atomic_write
from engines.errors import KerasModelError
from engines.keras.prelu import joined
from engines.types import F32, U8

OPSET = 17
SIDE = 48  # of the faces that the service cuts, pixels
TOLERANCE = 1e-4


def to_onnx(scores: Callable[[Any], Any], classes: int) -> onnx.ModelProto:
    """Trace `scores`, a TensorFlow function from faces to softmax, into a checked ONNX graph.

    The graph has one input `faces`, uint8 (N, 48, 48), and one output `scores`, float32
    (N, classes), for any N.
    """
    import tensorflow as tf  # noqa: PLC0415  (optional)
    import tf2onnx  # noqa: PLC0415  (optional)

    spec = tf.TensorSpec((None, SIDE, SIDE), tf.uint8, name="faces")
    proto, _ = tf2onnx.convert.from_function(
        tf.function(scores), input_signature=[spec], opset=OPSET
    )
    _rename_output(proto, "scores")
    _set_shape(proto.graph.input[0], (SIDE, SIDE))
    _set_shape(proto.graph.output[0], (classes,))
    proto = joined(proto)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def write(
    proto: onnx.ModelProto, out: Path, faces: U8, expected: F32, about: dict[str, str]
) -> float:
    """Write a graph of `to_onnx` with the metadata `about`; return its largest difference to Keras.

    `expected` (N, classes) are the scores of Keras for `faces`, uint8 (N, 48, 48).

    Raises:
        KerasModelError: a score differs by more than 1e-4; nothing is written.
    """
    for key, value in about.items():
        proto.metadata_props.add(key=key, value=value)
    difference = float(np.abs(_run(proto, faces) - expected).max())
    if not difference <= TOLERANCE:
        raise KerasModelError(f"the exported graph differs from Keras by {difference:.2e}")
    with atomic_write(out) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))
    return difference


def _rename_output(proto: onnx.ModelProto, name: str) -> None:
    old = proto.graph.output[0].name
    for node in proto.graph.node:
        node.output[:] = [name if each == old else each for each in node.output]
        node.input[:] = [name if each == old else each for each in node.input]
    proto.graph.output[0].name = name


def _set_shape(value: onnx.ValueInfoProto, rest: tuple[int, ...]) -> None:
    dimensions = value.type.tensor_type.shape
    del dimensions.dim[:]
    dimensions.dim.add().dim_param = "N"
    for size in rest:
        dimensions.dim.add().dim_value = size


def _run(proto: onnx.ModelProto, faces: U8) -> F32:
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(["scores"], {"faces": faces})[0], np.float32)
