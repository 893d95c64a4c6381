"""The JSON documents of requests and answers."""

from typing import Literal

import msgspec
from pydantic import Field

from analysis.document import ImageResult, Schema


class Frame(msgspec.Struct, forbid_unknown_fields=True):
    """One image of a JSON or MessagePack request: its bytes (base64 in JSON), or its URL."""

    data: bytes | None = None
    url: str | None = None
    id: str | None = None

    def __post_init__(self) -> None:
        if (self.data is None) == (self.url is None):
            raise ValueError("give an image either data or url")


class Frames(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a JSON or MessagePack request."""

    images: list[Frame]


class Problem(Schema):
    """RFC 9457 problem details; `code` is stable, `detail` is for people."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str


class Models(Schema):
    """The models that produced an answer, and the engine that ran them."""

    detector: str
    landmarks: str | None = Field(description="null if the detector places the landmarks")
    emotion: str
    embedder: str | None = Field(description="null unless embeddings were requested")
    backend: str


class Answer(Schema):
    """Results in the order of the request."""

    model: Models
    images: list[ImageResult]


class FirstLine(Schema):
    """The first line of a streamed answer."""

    model: Models


class End(Schema):
    """How a streamed answer ended."""

    images: int = Field(description="Number of images that were answered")
    problem: Problem | None = Field(description="Why the others were not answered, or null")


class LastLine(Schema):
    """The last line of a streamed answer; one without it was cut off."""

    end: End


class Readiness(Schema):
    """Whether requests are served now, and by which engine."""

    ready: bool
    engine: str
    reason: str = Field(description="Why this engine was chosen")
    networks: dict[str, bool] = Field(description="Whether workers serve each network")


class ModelCard(Schema):
    """A model in use."""

    name: str
    task: str
    version: str
    licence: str
    labels: list[str]
    engine: str
    reason: str = Field(description="Why this engine was chosen")
    precision: str
    batches: list[int]
    plan: str = Field(description="Fingerprint of the plan")
    same_person: float | None = Field(
        description="Only for embedders: two faces among those of many people count as the same "
        "person if their cosine is at least this"
    )
    parity: dict[str, float] = Field(description="Distance from the reference, by measure")


class ModelCards(Schema):
    """The models in use."""

    models: list[ModelCard]
