"""Random views of a 48x48 grey face, framed as a detector's crops are.

A view depends only on the face and on the generator, so a seed fixes it.
"""

from __future__ import annotations

import cv2
import numpy as np

from engines.types import U8
from training.emotion.degrade import Rng, as_image, change_tone, degrade, erase
from training.emotion.recipe import Strength


def view(face: U8, rng: Rng, side: int = 48, strength: Strength | None = None) -> U8:
    """Return one random view of ``face``, uint8 (side, side).

    Changes of light and codecs come before the frame, so that they are the same for any side.
    """
    strength = strength or Strength()
    image = face
    if rng.random() < strength.tone:
        image = change_tone(image, rng)
    if rng.random() < strength.degrade:
        image = degrade(image, rng)
    image = jitter_frame(image, rng, side, strength)
    if rng.random() < strength.erase:
        image = erase(image, rng)
    return image


def jitter_frame(face: U8, rng: Rng, side: int, strength: Strength) -> U8:
    """Mirror, rotate, scale and shift the square frame; borders are replicated.

    A scale above 1 is a looser frame (the face gets smaller), as when the box of the detector is
    too large. Angle and shift have normal distributions, clipped at the limits.
    """
    source = face.shape[0]
    angle = np.deg2rad(_bounded_normal(rng, strength.rotation))
    zoom = np.exp(rng.uniform(*np.log(strength.scale))) * source / side
    flip = 1.0 if rng.random() < 0.5 else -1.0
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    linear = np.array([[flip * cos, -sin], [flip * sin, cos]])
    shift = [source * _bounded_normal(rng, strength.shift) for _ in range(2)]
    centre = (source - 1) / 2 + np.array(shift) - linear @ np.full(2, (side - 1) / 2)
    matrix = np.column_stack([linear, centre])
    return as_image(
        cv2.warpAffine(
            face,
            matrix,
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def _bounded_normal(rng: Rng, limit: float) -> float:
    return float(np.clip(rng.normal(0, limit / 2.5), -limit, limit)) if limit else 0.0
