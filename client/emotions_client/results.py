"""The answers of the service, typed. Coordinates are pixels of the upright image."""

import msgspec


class Pose(msgspec.Struct, frozen=True):
    """How the head is turned, in degrees.

    Yaw is positive if the face looks to the right of the image, pitch if it looks up, and roll if
    the head is turned clockwise.
    """

    yaw: float
    pitch: float
    roll: float


class Face(msgspec.Struct, frozen=True):
    """One face.

    The box is x1, y1, x2, y2. The landmarks are the eyes, the nose and the corners of the mouth,
    left first. `quality` is the probability that a clear frontal view of this face gives the same
    emotion. `pose` and `quality` are None if the service is an old one.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]
    emotion: str
    scores: dict[str, float]
    embedding: tuple[float, ...] | None = None
    pose: Pose | None = None
    quality: float | None = None


class ImageError(msgspec.Struct, frozen=True):
    """Why an image has no faces."""

    code: str
    detail: str


class ImageResult(msgspec.Struct, frozen=True):
    """The faces of one image, largest first.

    Turned clockwise by `turned` degrees, the image has upright faces; it is 0 unless the option
    `orientation` is `auto`.
    """

    id: str
    width: int
    height: int
    faces: tuple[Face, ...]
    error: ImageError | None = None
    turned: int = 0


class Models(msgspec.Struct, frozen=True):
    """The models that produced an answer, and the engine that ran them.

    `landmarks` is None if the detector places the landmarks, or if the service is an old one that
    does not report it.
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
    """A model that the service runs.

    `same_person` belongs to an embedder: two faces among those of many people count as the same
    person if their cosine is at least this.
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
    """The models that the service runs."""

    models: tuple[Model, ...]
