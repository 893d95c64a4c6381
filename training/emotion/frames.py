"""Photographs without labels to faces that teachers can tell a student about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.alignment import fer_crop
from training.photographs import middle_faces


def cut_frames(data: Path, out: Path) -> int:
    """Write the faces of the archives in ``data`` as the service cuts them; return their number.

    ``out`` is an ``.npz`` with ``x``, uint8 (N, 48, 48), for ``--unlabelled``.
    """
    faces = np.stack([fer_crop(found.image, found.box) for found in middle_faces(data)])
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, x=faces)
    return len(faces)


def load_frames(path: Path) -> npt.NDArray[np.uint8]:
    """Faces uint8 (N, 48, 48) of a file that `cut_frames` wrote."""
    with np.load(path) as file:
        return np.asarray(file["x"], np.uint8)
