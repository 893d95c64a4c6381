"""Columns of the tables, and the rows of a face and of an image."""

import json
from collections.abc import Sequence
from typing import Any

from analysis.document import ANGLES, SCORE_DIGITS, Face, ImageResult
from offline.quality import weight

Row = dict[str, Any]
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
BOX = ("x1", "y1", "x2", "y2")
LANDMARKS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
# The columns of a face that are the same with every emotion network.
FACE = ("face", *BOX, "score", *LANDMARKS, *ANGLES, "quality")
TEXT_COLUMNS = {"file", "timecode", "emotion", "embedding", "error", "detail"}
INTEGER_COLUMNS = {"face", "identity", "width", "height", "turned", "faces", "frame", "track"}


def face_row(file: str, index: int, face: Face, *, embedding: bool = False) -> Row:
    """Return a face as a row by column, with its embedding as JSON if requested and present."""
    row: Row = {"file": file, "face": index, "score": face.score, "emotion": face.emotion}
    row |= zip(BOX, face.box, strict=True)
    row |= zip(LANDMARKS, [value for point in face.landmarks for value in point], strict=True)
    row |= face.pose.model_dump() | {"quality": face.quality}
    if embedding and face.embedding is not None:
        row["embedding"] = json.dumps(face.embedding)
    return row | face.scores


def image_row(result: ImageResult, labels: Sequence[str]) -> Row:
    """Return an image as a row by column: the number of faces, and the mean of their scores.

    In the mean a face weighs as much as its quality.
    """
    row: Row = {"file": result.id, "faces": len(result.faces)}
    if result.error:
        return row | {"error": result.error.code, "detail": result.error.detail}
    row |= {"width": result.width, "height": result.height, "turned": result.turned}
    if not result.faces:
        return row
    means = {label: _mean_score(result.faces, label) for label in labels}
    return row | means | {"emotion": max(means, key=means.__getitem__)}


def _mean_score(faces: Sequence[Face], label: str) -> float:
    weights = [weight(face.quality) for face in faces]
    total = sum(share * face.scores[label] for share, face in zip(weights, faces, strict=True))
    return round(total / sum(weights), SCORE_DIGITS)
