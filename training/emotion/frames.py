"""Unlabelled faces from photographs, as training data for a student with teachers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analysis.crops import fer_crop
from training.photographs import middle_faces


def cut_frames(data: Path, out: Path) -> int:
    """Write the faces of the archives in ``data``, cropped as in the service; return their number.

    ``out`` is an ``.npz`` file with ``x``, uint8 (N, 48, 48), for ``train --unlabelled``.
    """
    faces = np.stack([fer_crop(found.image, found.box) for found in middle_faces(data)])
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, x=faces)
    return len(faces)
