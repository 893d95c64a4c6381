"""The service's answers, typed. Pixels are those of the upright image."""

import msgspec


class Face(msgspec.Struct, frozen=True):
    """One face: box x1, y1, x2, y2; landmarks eyes, nose, mouth corners, left first."""

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]
    emotion: str
    scores: dict[str, float]
    embedding: tuple[float, ...] | None = None


class ImageError(msgspec.Struct, frozen=True):
    """Why an image has no faces."""

    code: str
    detail: str


class ImageResult(msgspec.Struct, frozen=True):
    """The faces of one image, largest first."""

    id: str
    width: int
    height: int
    faces: tuple[Face, ...]
    error: ImageError | None = None


class Models(msgspec.Struct, frozen=True):
    """The models that gave an answer, and the engine that ran them.

    `landmarks` is None if the detector places the landmarks, or the service is too old to say.
    """

    detector: str
    emotion: str
    backend: str
    embedder: str | None = None
    landmarks: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """Results in the order of the images."""

    model: Models
    images: tuple[ImageResult, ...]


class Model(msgspec.Struct, frozen=True):
    """A model that the service has in use.

    `same_person` is an embedder's: the cosine from which two faces among those of many people are
    taken for one person's.
    """

    name: str
    task: str
    version: str
    licence: str
    labels: tuple[str, ...]
    engine: str
    precision: str
    same_person: float | None = None


class ModelList(msgspec.Struct, frozen=True):
    """The models in use."""

    models: tuple[Model, ...]
