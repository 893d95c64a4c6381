"""Export a trained network to ONNX: uint8 faces in, calibrated scores out."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import LABELS
from engines.classifiers.adapt import Pixels, adapted
from engines.classifiers.export import write
from engines.classifiers.image import SIDE, image
from engines.keras.convert import require
from engines.keras.onnx import traced
from tensorrtx import onnx_file
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
        ClassifierError: the graph's scores differ from Keras by more than 1e-4.

    """
    require()
    faces = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE)).astype(np.uint8)
    expected = softmax(predict(model, faces) / temperature).astype(np.float32)
    scale_logits(model, 1 / temperature)
    body = onnx_file.freed(traced(model))
    scale_logits(model, temperature)
    proto = adapted(body, image(body, path), Pixels(), len(LABELS), softmax=True)
    entries = {"labels": ",".join(LABELS), "temperature": f"{temperature}"} | (about or {})
    return write(proto, path, faces, expected, entries)
