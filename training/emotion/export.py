"""Export a trained network to ONNX: uint8 faces in, calibrated scores out."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import LABELS
from engines.keras.export import require
from engines.keras.onnx import SIDE, to_onnx, write
from training.emotion.logits import scale_logits
from training.emotion.predict import predict


def export(
    model: keras.Model, path: Path, temperature: float = 1.0, about: dict[str, str] | None = None
) -> float:
    """Write ``path``; return the largest difference to Keras over 64 random faces.

    The file has one input ``faces`` uint8 (N, 48, 48) and one output ``scores`` float32 (N, 7),
    softmax(logits / temperature), with a dynamic N. Its metadata has ``labels`` (separated by
    commas), ``temperature`` and the entries of ``about``.

    Raises:
        KerasMissingError: Keras does not run on TensorFlow, which tf2onnx reads.
        KerasModelError: the graph's scores differ from Keras by more than 1e-4.

    """
    require()
    import tensorflow as tf  # noqa: PLC0415 - heavy, and training does without it

    faces = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE)).astype(np.uint8)
    expected = softmax(predict(model, faces) / temperature).astype(np.float32)
    scale_logits(model, 1 / temperature)
    proto = to_onnx(lambda faces: tf.nn.softmax(model(faces, training=False)), len(LABELS))
    scale_logits(model, temperature)
    entries = {"labels": ",".join(LABELS), "temperature": f"{temperature}"} | (about or {})
    return write(proto, path, faces, expected, entries)
