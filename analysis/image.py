"""The state of one image between the stages of its analysis."""

import numpy as np

from analysis.crops import ARCFACE_SIZE, FER_SIZE, arcface_crops, enlargement, fer_crop
from analysis.decode import Picture, opened
from analysis.detection import Letterbox, fit, select
from analysis.errors import ServiceError
from analysis.networks import Rules
from analysis.timing import Sample, timed
from analysis.types import Analysis, Detections, Options, Source
from engines.types import F32, U8, Array

NOTHING = Detections(*(np.zeros((0, *shape), np.float32) for shape in ((4,), (5, 2), ())))


class Image:
    """State of one image; an error of the image ends its way and nobody else's."""

    def __init__(self, source: Source, options: Options) -> None:
        self.options = options
        self.samples: list[Sample] = []
        self.error: ServiceError | None = None
        self.row: dict[str, Array] = {}
        self.faces = NOTHING
        self.crops: list[U8] = []
        self.aligned: list[U8] = []
        self.scores: F32 | None = None
        self.embeddings: F32 | None = None
        self.picture: Picture
        self.box: Letterbox
        self.shape: tuple[int, int, int]
        self._source = source
        self._pixels: U8 | None = None
        self.enlarged = False

    def decode(self, rules: Rules) -> None:
        """Decode as much as the detector needs, or all if the client wants the pixels."""
        side = None if self.options.keep_image else max(rules.size)
        with timed("decode", [self.samples]):
            self._open(side, rules)
        if self.error is not None:
            return
        height, width = self.picture.pixels.shape[:2]
        self.box, self.shape = fit(width, height, rules.size, rules.heights)

    def _open(self, side: int | None, rules: Rules) -> None:
        try:
            self.picture = opened(self._source, rules.limits, side)
        except ServiceError as error:
            self.error = error

    def select(self, rules: Rules) -> None:
        """Turn the detector's row into faces; decode more of the image where a face is small."""
        options = self.options
        self.faces = select(
            self.row,
            self.box,
            min_score=options.min_score,
            nms_iou=rules.nms_iou,
            max_faces=options.max_faces,
        )
        self.row = {}
        needed = enlargement(self.faces.boxes, ARCFACE_SIZE if options.embeddings else FER_SIZE)
        if needed > 1 and self.picture.reduced:
            self._enlarge(needed, rules)

    def _enlarge(self, factor: float, rules: Rules) -> None:
        """Decode again so that pixels are as many as the smallest face needs."""
        height, width = self.picture.pixels.shape[:2]
        side, self.enlarged = int(np.ceil(max(height, width) * factor)), True
        self._open(side, rules)
        self.faces = self.faces.scaled(
            self.picture.pixels.shape[1] / width, self.picture.pixels.shape[0] / height
        )

    def cut(self) -> None:
        """Cut out the faces for the emotion network."""
        self.crops = [fer_crop(self.picture.pixels, box) for box in self.faces.boxes]

    def align(self) -> None:
        """Cut out the faces for the embedder; keep the pixels only if the client wants them."""
        pixels, faces = self.picture.pixels, self.faces
        height, width = pixels.shape[:2]
        if self.options.embeddings:
            self.aligned = arcface_crops(pixels, faces.landmarks)
        self.faces = faces.scaled(self.picture.width / width, self.picture.height / height)
        self._pixels = pixels if self.options.keep_image else None
        self.picture = self.picture._replace(pixels=np.empty((0, 0, 3), np.uint8))

    def result(self, labels: int) -> Analysis | ServiceError:
        """The analysis of the image, or its error."""
        if self.error is not None:
            return self.error
        scores = np.zeros((0, labels), np.float32) if self.scores is None else self.scores
        vectors = self.embeddings
        if vectors is None and self.options.embeddings:  # of an image without faces
            vectors = np.zeros((0, 0), np.float32)
        size = self.picture.width, self.picture.height
        return Analysis(*size, self.faces, scores, vectors, self._pixels)
