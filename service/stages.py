"""What is done to an image around the networks, in whatever thread or process."""

from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.runner import Array
from service import image as images
from service import landmarks
from service.alignment import ARCFACE_SIZE, FER_SIZE, arcface_crop, fer_crop, too_small
from service.closeups import CloseUps
from service.detection import Detections, Letterbox, letterbox, select
from service.image import ImageLimits, Picture

# Every core has an image of its own; threads within one would only take turns with these.
cv2.setNumThreads(1)

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
# An image as it came: encoded, or upright RGB pixels (height, width, 3).
Source = bytes | U8


class Options(NamedTuple):
    """What one request asks for."""

    min_score: float = 0.5
    max_faces: int = 100
    embeddings: bool = False
    keep_image: bool = False


class Rules(msgspec.Struct, frozen=True):
    """What holds for all images: limits, the detector's input (height, width), and its NMS.

    `heights` are those that its input may have instead, rising. `landmarks` is the network that
    places landmarks, see `service.landmarks`; without it they are the detector's.
    """

    limits: ImageLimits
    size: tuple[int, int]
    nms_iou: float
    close_ups: CloseUps = "auto"
    heights: tuple[int, ...] = ()
    landmarks: Path | None = None


class Cut(NamedTuple):
    """One image's upright size, its faces in pixels of it, and their crops.

    crops: uint8 (48, 48) each, and none where `scores` (K, L) float32 has what was read from them;
    aligned: uint8 (112, 112, 3) each where embeddings are asked for; image: the pixels likewise.
    """

    width: int
    height: int
    faces: Detections
    crops: list[U8]
    aligned: list[U8] | None = None
    scores: F32 | None = None
    image: U8 | None = None


def opened(source: Source, options: Options, rules: Rules) -> Picture:
    """Decode as much of an image as is needed; see `image.open_picture` for errors."""
    if isinstance(source, bytes):
        side = None if options.keep_image else max(rules.size)
        return images.open_picture(source, rules.limits, side)
    return Picture(source, source.shape[1], source.shape[0])


class Prepared(NamedTuple):
    """An image's pixels, the detector's input (height, width, 3), and how they lie in it."""

    picture: Picture
    canvas: U8
    box: Letterbox


def prepared(source: Source, options: Options, rules: Rules) -> Prepared:
    """Decode an image and fit it to the detector; see `image.open_picture` for errors."""
    picture = opened(source, options, rules)
    return Prepared(picture, *letterbox(picture.pixels, rules.size, rules.heights))


def cut(
    source: Source, ready: Prepared, row: dict[str, Array], options: Options, rules: Rules
) -> Cut:
    """Turn the detector's `row` into faces and crops; decodes all of `source` for small faces."""
    picture = ready.picture
    faces = select(
        row,
        ready.box,
        min_score=options.min_score,
        nms_iou=rules.nms_iou,
        max_faces=options.max_faces,
    )
    image = picture.pixels
    height, width = image.shape[:2]
    scale = (picture.width / width, picture.height / height)
    needed = ARCFACE_SIZE if options.embeddings else FER_SIZE
    if isinstance(source, bytes) and picture.reduced and too_small(faces.boxes, needed):
        image, faces, scale = images.decode(source, rules.limits), faces.scaled(*scale), (1, 1)
    if rules.landmarks:
        placed = landmarks.placed(rules.landmarks, image, faces.landmarks)
        faces = faces._replace(landmarks=placed)
    found = faces.scaled(*scale)
    return Cut(
        picture.width,
        picture.height,
        found,
        [fer_crop(image, face) for face in faces.boxes],
        [arcface_crop(image, face) for face in faces.landmarks] if options.embeddings else None,
        image=picture.pixels if options.keep_image else None,
    )
