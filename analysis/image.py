"""The state of one image between the stages of its analysis."""

import numpy as np

from analysis.crops import ARCFACE_SIZE, FER_SIZE, arcface_crops, enlargement, fer_crop
from analysis.decode import Picture, open_source
from analysis.detection import Letterbox, fit, select
from analysis.errors import ServiceError
from analysis.plans import Rules
from analysis.timing import Sample, timed
from analysis.types import Analysis, Detections, Options, Source
from engines.types import F32, U8, Array

NO_FACES = Detections(*(np.zeros((0, *shape), np.float32) for shape in ((4,), (5, 2), ())))


class Image:
    """One image. Its error ends its own analysis; other images are not affected.

    `decode` sets `picture`, `letterbox` and `shape` (of the detector's input), or `error`.
    `candidates` are the detector's outputs by name; `select` turns them into `faces`. `enlarged`
    is true if `select` decoded the image again, with more pixels.
    """

    picture: Picture
    letterbox: Letterbox
    shape: tuple[int, int, int]

    def __init__(self, source: Source, options: Options) -> None:
        self.options = options
        self.samples: list[Sample] = []
        self.error: ServiceError | None = None
        self.candidates: dict[str, Array] = {}
        self.faces = NO_FACES
        self.enlarged = False
        self.emotion_crops: list[U8] = []
        self.arcface_crops: list[U8] = []
        self.scores: F32 | None = None
        self.embeddings: F32 | None = None
        self._source = source
        self._kept: U8 | None = None

    def decode(self, rules: Rules) -> None:
        """Decode the pixels that the detector needs, or all if the client requests the image."""
        side = None if self.options.keep_image else max(rules.size)
        with timed("decode", [self.samples]):
            self._open(side, rules)
        if self.error is not None:
            return
        height, width = self.picture.pixels.shape[:2]
        self.letterbox, self.shape = fit(width, height, rules.size, rules.heights)

    def _open(self, side: int | None, rules: Rules) -> None:
        try:
            self.picture = open_source(self._source, rules.limits, side)
        except ServiceError as error:
            self.error = error

    def select(self, rules: Rules) -> None:
        """Turn the candidates into faces; decode more of the image if a face is small."""
        options = self.options
        self.faces = select(
            self.candidates,
            self.letterbox,
            min_score=options.min_score,
            nms_iou=rules.nms_iou,
            max_faces=options.max_faces,
        )
        self.candidates = {}
        needed = enlargement(self.faces.boxes, ARCFACE_SIZE if options.embeddings else FER_SIZE)
        if needed > 1 and self.picture.reduced:
            self._enlarge(needed, rules)

    def _enlarge(self, factor: float, rules: Rules) -> None:
        """Decode again, with as many pixels as the crop of the smallest face needs."""
        height, width = self.picture.pixels.shape[:2]
        side, self.enlarged = int(np.ceil(max(height, width) * factor)), True
        self._open(side, rules)
        self.faces = self.faces.scaled(
            self.picture.pixels.shape[1] / width, self.picture.pixels.shape[0] / height
        )

    def cut(self) -> None:
        """Cut out the faces for the emotion network."""
        self.emotion_crops = [fer_crop(self.picture.pixels, box) for box in self.faces.boxes]

    def align(self) -> None:
        """Cut out the faces for the embedder; free the pixels unless they are requested."""
        pixels, faces = self.picture.pixels, self.faces
        height, width = pixels.shape[:2]
        if self.options.embeddings:
            self.arcface_crops = arcface_crops(pixels, faces.landmarks)
        self.faces = faces.scaled(self.picture.width / width, self.picture.height / height)
        self._kept = pixels if self.options.keep_image else None
        self.picture = self.picture._replace(pixels=np.empty((0, 0, 3), np.uint8))

    def outcome(self, label_count: int) -> Analysis | ServiceError:
        """Return the analysis of the image, or its error."""
        if self.error is not None:
            return self.error
        scores = np.zeros((0, label_count), np.float32) if self.scores is None else self.scores
        vectors = self.embeddings
        if vectors is None and self.options.embeddings:  # the image has no faces
            vectors = np.zeros((0, 0), np.float32)
        size = self.picture.width, self.picture.height
        return Analysis(*size, self.faces, scores, vectors, self._kept)
