"""An analysis as the JSON document of an answer."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from analysis import pose
from analysis.errors import ServiceError
from analysis.types import Analysis
from engines.types import F32, F64

# A document as plain data.
Document = dict[str, Any]
PIXEL_DIGITS, SCORE_DIGITS, ANGLE_DIGITS = 2, 6, 1
ANGLES = ("yaw", "pitch", "roll")
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Schema(BaseModel):
    """Base of all documents: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class ImageError(Schema):
    """Why one image of several has no faces."""

    code: str
    detail: str


class Pose(Schema):
    """How the head is turned, in degrees, by its landmarks."""

    yaw: float = Field(description="Positive if the face looks to the right of the image")
    pitch: float = Field(description="Positive if the face looks up")
    roll: float = Field(description="Positive if the head is turned clockwise, -180 to 180")


class Face(Schema):
    """One face, in pixels of the upright image."""

    box: Annotated[list[float], Field(min_length=4, max_length=4, description="x1, y1, x2, y2")]
    score: Probability = Field(description="The detector's confidence")
    landmarks: Annotated[
        list[Point],
        Field(min_length=5, max_length=5, description="Eyes, nose, mouth corners, left first"),
    ]
    emotion: str = Field(description="The label with the highest score")
    scores: dict[str, Probability] = Field(description="Softmax over the labels")
    pose: Pose
    quality: Probability = Field(
        description="Probability that a clear frontal view of this face gives the same emotion"
    )
    embedding: list[float] | None = Field(description="L2-normalised, or null if not requested")


class ImageResult(Schema):
    """The faces of one image, largest first."""

    id: str
    width: int
    height: int
    turned: Literal[0, 90, 180, 270] = Field(
        description="Degrees by which to turn the image clockwise so that its faces are upright; "
        "0 unless orientation=auto"
    )
    error: ImageError | None
    faces: list[Face]


def image_result(
    name: str, outcome: Analysis | ServiceError, labels: tuple[str, ...], wanted: tuple[str, ...]
) -> ImageResult:
    """Return the result of one image; `wanted` are the labels to return scores for."""
    return ImageResult.model_validate(image_document(name, outcome, labels, wanted))


def image_document(
    name: str, outcome: Analysis | ServiceError, labels: tuple[str, ...], wanted: tuple[str, ...]
) -> Document:
    """Return `image_result` as plain data: pydantic models would double its time."""
    if isinstance(outcome, ServiceError):
        error = {"code": outcome.code, "detail": str(outcome)}
        return {"id": name, "width": 0, "height": 0, "turned": 0, "error": error, "faces": []}
    return {
        "id": name,
        "width": outcome.width,
        "height": outcome.height,
        "turned": outcome.turned,
        "error": None,
        "faces": _faces(outcome, labels, wanted),
    }


def _faces(result: Analysis, labels: tuple[str, ...], wanted: tuple[str, ...]) -> list[Document]:
    scores = subset(result.scores, [labels.index(label) for label in wanted])
    best = scores.argmax(axis=1)
    boxes = _rounded(result.faces.boxes, PIXEL_DIGITS)
    landmarks = _rounded(result.faces.landmarks, PIXEL_DIGITS)
    confidences = _rounded(result.faces.scores, SCORE_DIGITS)
    rows = _rounded(scores, SCORE_DIGITS)
    poses = _rounded(pose.poses(result.faces.landmarks), ANGLE_DIGITS)
    qualities = _rounded(result.qualities, SCORE_DIGITS)
    vectors = None if result.embeddings is None else _rounded(result.embeddings, SCORE_DIGITS)
    return [
        {
            "box": boxes[i],
            "score": confidences[i],
            "landmarks": landmarks[i],
            "emotion": wanted[best[i]],
            "scores": dict(zip(wanted, rows[i], strict=True)),
            "pose": dict(zip(ANGLES, poses[i], strict=True)),
            "quality": qualities[i],
            "embedding": vectors[i] if vectors else None,
        }
        for i in range(len(rows))
    ]


def subset(scores: F32, columns: list[int]) -> F64:
    """Return the softmax over some of the classes: (K, 7) to (K, len(columns)), rows sum to one.

    The softmax over a subset of the logits is the same subset of the full softmax, divided by its
    sum.
    """
    chosen = scores[:, columns].astype(np.float64)
    total = chosen.sum(axis=1, keepdims=True)
    return np.asarray(chosen / np.maximum(total, np.finfo(np.float64).tiny))


def _rounded(values: F32 | F64, digits: int) -> Any:
    """Return nested lists of Python floats with few digits."""
    # Adding zero turns -0.0 into 0.0.
    return (values.astype(np.float64).round(digits) + 0.0).tolist()
