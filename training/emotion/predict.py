"""Logits of a Keras model for many faces."""

from __future__ import annotations

import cv2
import keras
import numpy as np
import numpy.typing as npt


def predict(
    model: keras.Model, faces: npt.NDArray[np.uint8], side: int = 48, batch: int = 256
) -> npt.NDArray[np.float32]:
    """Return the logits float32 (N, 7) of faces uint8 (N, 48, 48), resized to ``side``."""
    if side != faces.shape[1]:
        faces = np.stack([cv2.resize(f, (side, side), interpolation=cv2.INTER_AREA) for f in faces])
    parts = [faces[i : i + batch] for i in range(0, len(faces), batch)]
    return np.concatenate([np.asarray(model.predict_on_batch(part)) for part in parts])
