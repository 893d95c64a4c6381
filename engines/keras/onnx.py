"""Keras models to ONNX graphs, with the inputs and outputs of the model."""

from typing import Any

import onnx

from engines.keras.prelu import joined

OPSET = 17


def traced(model: Any) -> onnx.ModelProto:
    """Return the graph of a Keras model in inference, with any number of images."""
    import tensorflow as tf  # noqa: PLC0415  (optional)
    import tf2onnx  # noqa: PLC0415  (optional)

    signature = [
        tf.TensorSpec((None, *value.shape[1:]), value.dtype, name=f"input_{index}")
        for index, value in enumerate(model.inputs or [])
    ]

    def inference(*images: Any) -> Any:
        return model(images[0] if len(images) == 1 else list(images), training=False)

    proto, _ = tf2onnx.convert.from_function(
        tf.function(inference), input_signature=signature, opset=OPSET
    )
    return joined(proto)
