"""The documents that cross HTTP: what a request holds, what an answer says."""

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from analysis.errors import ServiceError
from analysis.types import Analysis
from engines.types import F32, F64

# A document of these as plain data.
Document = dict[str, Any]
PIXEL_DIGITS, SCORE_DIGITS = 2, 6
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Frame(msgspec.Struct, forbid_unknown_fields=True):
    """One image of a JSON or MessagePack request: its bytes (base64 in JSON), or where it is."""

    data: bytes | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    id: str | None = None

    def __post_init__(self) -> None:
        if (self.data is msgspec.UNSET) == (self.url is msgspec.UNSET):
            raise ValueError("give an image either `data` or `url`")


class Frames(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a JSON or MessagePack request."""

    images: list[Frame]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Document):
    """RFC 9457 problem details; `code` is stable, `detail` is for people."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str


class Models(_Document):
    """The models that gave an answer, and the engine that ran them."""

    detector: str
    landmarks: str | None = Field(description="null if the detector places the landmarks")
    emotion: str
    embedder: str | None = Field(description="null unless embeddings were asked for")
    backend: str


class ImageError(_Document):
    """Why one image of several has no faces."""

    code: str
    detail: str


class Face(_Document):
    """One face, in pixels of the upright image."""

    box: Annotated[list[float], Field(min_length=4, max_length=4, description="x1, y1, x2, y2")]
    score: Probability = Field(description="The detector's confidence")
    landmarks: Annotated[
        list[Point],
        Field(min_length=5, max_length=5, description="Eyes, nose, mouth corners, left first"),
    ]
    emotion: str = Field(description="The label with the highest score")
    scores: dict[str, Probability] = Field(description="Softmax over the labels")
    embedding: list[float] | None = Field(description="L2-normalised, or null if not asked for")


class ImageResult(_Document):
    """The faces of one image, largest first."""

    id: str
    width: int
    height: int
    error: ImageError | None
    faces: list[Face]


class Answer(_Document):
    """Results in the order of the request."""

    model: Models
    images: list[ImageResult]


class FirstLine(_Document):
    """The first line of a streamed answer."""

    model: Models


class End(_Document):
    """How a streamed answer ended."""

    images: int = Field(description="Images answered, a line each")
    problem: Problem | None = Field(description="Why the others were not, or null")


class LastLine(_Document):
    """The last line of a streamed answer; one without it was cut off."""

    end: End


class Readiness(_Document):
    """Whether requests are served now, and by what."""

    ready: bool
    engine: str
    reason: str = Field(description="Why it is this engine")
    networks: dict[str, bool] = Field(description="Whether each network's workers are up")


class ModelCard(_Document):
    """A model in use."""

    name: str
    task: str
    version: str
    licence: str
    labels: list[str]
    engine: str
    reason: str = Field(description="Why it is this engine")
    precision: str
    batches: list[int]
    plan: str = Field(description="Fingerprint of the plan")
    same_person: float | None = Field(
        description="Of an embedder: from this cosine up, two faces among those of many people are "
        "taken for one person's"
    )
    parity: dict[str, float] = Field(description="Distance from the reference, by figure")


class ModelCards(_Document):
    """The models in use."""

    models: list[ModelCard]


def image_result(
    name: str, outcome: Analysis | ServiceError, labels: tuple[str, ...], wanted: tuple[str, ...]
) -> ImageResult:
    """Describe what became of one image; `wanted` is the subset of `labels` to answer with."""
    return ImageResult.model_validate(image_document(name, outcome, labels, wanted))


def image_document(
    name: str, outcome: Analysis | ServiceError, labels: tuple[str, ...], wanted: tuple[str, ...]
) -> Document:
    """`image_result` as plain data: models would take as long again to make and to write."""
    if isinstance(outcome, ServiceError):
        error = {"code": outcome.code, "detail": str(outcome)}
        return {"id": name, "width": 0, "height": 0, "error": error, "faces": []}
    return {
        "id": name,
        "width": outcome.width,
        "height": outcome.height,
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
    vectors = None if result.embeddings is None else _rounded(result.embeddings, SCORE_DIGITS)
    return [
        {
            "box": boxes[i],
            "score": confidences[i],
            "landmarks": landmarks[i],
            "emotion": wanted[best[i]],
            "scores": dict(zip(wanted, rows[i], strict=True)),
            "embedding": vectors[i] if vectors else None,
        }
        for i in range(len(rows))
    ]


def subset(scores: F32, columns: list[int]) -> F64:
    """Softmax over some of the classes: rows (K, 7) to (K, len(columns)) that sum to one.

    The softmax of a subset of logits is the softmax of all, cut and divided by its sum.
    """
    chosen = scores[:, columns].astype(np.float64)
    total = chosen.sum(axis=1, keepdims=True)
    return np.asarray(chosen / np.maximum(total, np.finfo(np.float64).tiny))


def _rounded(values: F32 | F64, digits: int) -> Any:
    """As nested lists of Python floats, short to write."""
    return values.astype(np.float64).round(digits).tolist()
