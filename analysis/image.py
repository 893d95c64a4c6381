"""The state of one image between the stages of its analysis."""

from functools import partial

import numpy as np

from analysis.coverage import Coverage, cover
from analysis.crops import ARCFACE_SIZE, FER_SIZE, arcface_crops, enlargement, fer_crop
from analysis.decode import Picture, open_source
from analysis.detection import MAX_ENLARGEMENT, Letterbox, Row, fit, select
from analysis.errors import ServiceError
from analysis.jpegs.types import JpegDecoder
from analysis.limits import Side
from analysis.orientation import turned, turned_back
from analysis.plans import Rules
from analysis.pose import rolls
from analysis.quality import qualities
from analysis.tiles import Tile, tiles
from analysis.timing import Sample, timed
from analysis.types import Analysis, Detections, Options, Source
from engines.types import F32, U8

NO_PIXELS = np.empty((0, 0, 3), np.uint8)
NO_FACES = Detections(*(np.zeros((0, *shape), np.float32) for shape in ((4,), (5, 2), ())))


class Image:
    """One image. Its error ends its own analysis; other images are not affected.

    `decode` sets `picture`, and how the detector sees it: `coverage`, `letterbox` and `shape` of
    the whole image, and `tiles`; or it sets `error`. `candidates` are the detector's outputs by
    name; `select` turns them into `faces`. `enlarged` is true if `select` decoded the image again,
    with more pixels. `turned` is by how many degrees clockwise the picture is turned.
    """

    picture: Picture
    coverage: Coverage
    letterbox: Letterbox
    shape: tuple[int, int, int]
    tiles: list[Tile]

    def __init__(self, source: Source, options: Options, trusted: bool = True) -> None:
        self.options = options
        self.samples: list[Sample] = []
        self.error: ServiceError | None = None
        self.candidates: Row = {}
        self.faces = NO_FACES
        self.enlarged = False
        self.turned = 0
        self.emotion_crops: list[U8] = []
        self.arcface_crops: list[U8] = []
        self.scores: F32 | None = None
        self.qualities = np.zeros(0, np.float32)
        self.embeddings: F32 | None = None
        self._source, self._trusted = source, trusted
        self._decoder: JpegDecoder | None = None

    def decode(self, rules: Rules, decoder: JpegDecoder | None = None) -> None:
        """Decode the pixels that the detector needs, or all if the client requests the image.

        `decoder` decodes the image if it can, and if the image is trusted.
        """
        self._decoder = decoder if self._trusted else None
        with timed("decode", [self.samples]):
            self._open(None if self.options.keep_image else partial(self._side, rules), rules)
        if self.error is None:
            self._place(rules)

    def _side(self, rules: Rules, width: int, height: int) -> int:
        return cover(width, height, self.options.min_face, rules).side

    def _open(self, side: Side | None, rules: Rules) -> None:
        try:
            self.picture = open_source(self._source, rules.limits, side, self._decoder)
            size = self.picture.width, self.picture.height
            self.coverage = cover(*size, self.options.min_face, rules)
        except ServiceError as error:
            self.error = error
        else:
            self._turn_picture(self.turned)

    def _place(self, rules: Rules) -> None:
        """Place the picture, and its tiles, in the inputs of the detector."""
        picture = self.picture
        height, width = picture.pixels.shape[:2]
        whole, scale, _ = self.coverage
        self.letterbox, self.shape = fit(width, height, rules.inputs[whole])
        self.tiles = []
        if scale is not None:
            # A JPEG beyond the pixel limit may have fewer pixels than `scale` needs.
            size = picture.width, picture.height
            finest = MAX_ENLARGEMENT * max(width, height) / max(size)
            self.tiles = tiles(*size, min(scale, finest), rules.inputs[-1], (width, height))

    def turn(self, degrees: int, rules: Rules) -> None:
        """Make `turned` a multiple of 90 degrees."""
        self._turn_picture((degrees - self.turned) % 360)
        self.turned = degrees
        self._place(rules)

    def _turn_picture(self, degrees: int) -> None:
        if degrees:
            pixels, width, height = self.picture
            size = (height, width) if degrees % 180 else (width, height)
            self.picture = Picture(turned(pixels, degrees), *size)

    def found(self, rules: Rules) -> Detections:
        """Return the faces among the candidates, in pixels of the picture."""
        options = self.options
        return select(
            self.candidates,
            self.letterbox,
            min_score=options.min_score,
            nms_iou=rules.nms_iou,
            max_faces=options.max_faces,
        )

    def select(self, rules: Rules) -> None:
        """Turn the candidates into faces; decode more of the image if a face is small."""
        self.faces = self.found(rules)
        self.candidates = {}
        size = ARCFACE_SIZE if self.options.embeddings else FER_SIZE
        needed = enlargement(self.faces.boxes, size)
        if needed > 1 and self.picture.reduced:
            self._enlarge(needed, rules)

    def _enlarge(self, factor: float, rules: Rules) -> None:
        """Decode again, with as many pixels as the crop of the smallest face needs."""
        height, width = self.picture.pixels.shape[:2]
        side, self.enlarged = int(np.ceil(max(height, width) * factor)), True
        self._open(lambda *_: side, rules)
        self.faces = self.faces.scaled(
            self.picture.pixels.shape[1] / width, self.picture.pixels.shape[0] / height
        )

    def cut(self) -> None:
        """Cut out the faces for the emotion network."""
        turns = rolls(self.faces.landmarks).tolist()
        pairs = zip(self.faces.boxes, turns, strict=True)
        self.emotion_crops = [fer_crop(self.picture.pixels, box, roll) for box, roll in pairs]

    def align(self) -> None:
        """Cut out the faces for the embedder; free the pixels unless they are requested."""
        pixels, faces, (_, width, height) = self.picture.pixels, self.faces, self.picture
        if self.options.embeddings:
            self.arcface_crops = arcface_crops(pixels, faces.landmarks)
        faces = faces.scaled(width / pixels.shape[1], height / pixels.shape[0])
        if not self.options.keep_image:
            self.picture = Picture(NO_PIXELS, width, height)
        self._turn_picture(-self.turned % 360)
        self.faces = turned_back(faces, self.turned, self.picture.width, self.picture.height)

    def read(self, scores: F32) -> None:
        """Store the emotion scores (K, 7), and drop the faces whose quality is too low."""
        quality = qualities(self.faces, self.emotion_crops, scores)
        kept = np.flatnonzero(quality >= self.options.min_quality)
        self.faces = Detections(*(values[kept] for values in self.faces))
        self.scores, self.qualities = scores[kept], quality[kept]
        self.arcface_crops = [self.arcface_crops[i] for i in kept if self.arcface_crops]
        self.emotion_crops = []

    def outcome(self, label_count: int) -> Analysis | ServiceError:
        """Return the analysis of the image, or its error."""
        if self.error is not None:
            return self.error
        scores = np.zeros((0, label_count), np.float32) if self.scores is None else self.scores
        vectors = self.embeddings
        if vectors is None and self.options.embeddings:  # the image has no faces
            vectors = np.zeros((0, 0), np.float32)
        pixels, width, height = self.picture
        kept = pixels if self.options.keep_image else None
        return Analysis(
            width, height, self.faces, scores, self.qualities, vectors, kept, self.turned
        )
