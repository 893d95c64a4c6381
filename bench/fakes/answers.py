"""What fake networks answer: the same faces in every image."""

import numpy as np

from analysis.crops import ARCFACE_TEMPLATE
from engines.catalog import ModelSpec
from engines.types import Array

# The area that the faces may fill: the detector's smallest input is 640 pixels wide, and a 16:9
# image is 360 pixels high in it. The first box is close enough to the corner to be visible in tiny
# images too.
AREA, MARGIN = (640, 360), (16, 12)
# Most faces, columns, rows, and the width of a box; boxes are 4:5, as faces are.
GRIDS = ((8, 4, 2, 64), (30, 10, 3, 40))
# The part of ArcFace's crop that a detector's box covers: left, top and width.
FACE_IN_CROP = (18.0, 20.0, 76.0)
SCORE, EMBEDDING = 0.9, 128


def answer(spec: ModelSpec, faces: int) -> dict[str, Array]:
    """The answer of a network for one row, by output."""
    match spec.task:
        case "detector":
            return detections(faces, spec.input_size[1] / AREA[0])
        case "landmarks":
            return {"offsets": np.zeros((5, 2), np.float32)}
        case "emotion":
            scores = np.arange(1, len(spec.labels) + 1, dtype=np.float32)
            return {"scores": scores / scores.sum()}
        case "embedder":
            return {"embedding": np.full(EMBEDDING, EMBEDDING**-0.5, np.float32)}


def detections(faces: int, scale: float = 1.0) -> dict[str, Array]:
    """The candidates of a detector for one image; without faces, one candidate with score 0.

    `scale` is the width of the detector's input divided by 640.
    """
    boxes = grid(max(faces, 1)) * scale
    left, top, width = FACE_IN_CROP
    zoom = (boxes[:, 2] - boxes[:, 0]) / width
    inside = (ARCFACE_TEMPLATE - (left, top))[None] * zoom[:, None, None]
    return {
        "scores": np.full(len(boxes), SCORE if faces else 0, np.float32),
        "boxes": boxes.astype(np.float32),
        "landmarks": (boxes[:, None, :2] + inside).astype(np.float32),
    }


def grid(count: int) -> Array:
    """Boxes (count, 4) that do not overlap, in pixels of the detector's input.

    Raises:
        ValueError: so many do not fit.
    """
    if count > GRIDS[-1][0]:
        raise ValueError(f"{count} faces do not fit; at most {GRIDS[-1][0]} do")
    _, columns, rows, width = next(each for each in GRIDS if count <= each[0])
    number = np.arange(count)
    corners = np.stack(
        [number % columns * (AREA[0] // columns), number // columns * (AREA[1] // rows)], axis=1
    ) + np.array(MARGIN)
    return np.concatenate([corners, corners + np.array([width, width * 5 // 4])], axis=1)
