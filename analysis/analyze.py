"""The way of images to their faces, top to bottom.

Decode, detect, look again at close-ups, suppress, place landmarks, cut, classify, embed. An image
gives the same faces alone as beside any others.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np

from analysis import close_up, landmarks
from analysis.detection import fill
from analysis.errors import ServiceError
from analysis.image import Image
from analysis.networks import Network, Networks, Rules, chunks
from analysis.timing import Sample, timed
from analysis.types import Analysis, Options, Source
from engines.types import F32, U8, Array

# There is a worker per core; OpenCV's threads would only compete with other workers.
cv2.setNumThreads(1)


class Task(NamedTuple):
    """An image and the options of its client."""

    source: Source
    options: Options


class Result(NamedTuple):
    """The analysis of an image or its error, and the duration of each stage."""

    outcome: Analysis | ServiceError
    samples: list[Sample]

    def unwrap(self) -> Analysis:
        """Return the analysis.

        Raises:
            ServiceError: the error of the image.
        """
        if isinstance(self.outcome, ServiceError):
            raise self.outcome
        return self.outcome


def analyze(tasks: Sequence[Task], networks: Networks) -> list[Result]:
    """Find the faces of each image and read them; results are in the order of `tasks`.

    The detector takes images in its batches; the faces of all images share those of the emotion
    network and of the embedder.

    Raises:
        RunnerError: an engine failed.
    """
    images = [Image(*task) for task in tasks]
    for some in chunks(images, networks.detector.batch):
        _decode(some, networks)
        _detect([image for image in some if image.error is None], networks.detector, networks.rules)
    found = [image for image in images if image.error is None]
    for image in found:
        _select(image, networks)
    found = [image for image in found if image.error is None]
    finish = _start_reading(found, networks.emotion)  # the landmarks are placed meanwhile
    _align([image for image in found if not image.enlarged], networks.landmarks)
    finish()
    if networks.embedder is not None:
        _embed(found, networks.embedder)
    labels = networks.labels
    return [Result(image.result(labels), image.samples) for image in images]


def _decode(images: Sequence[Image], networks: Networks) -> None:
    for image in images:
        networks.beat()
        image.decode(networks.rules)


def _select(image: Image, networks: Networks) -> None:
    """Suppress duplicates and cut out the faces.

    An image that was decoded again for a small face is aligned at once, so that its many pixels can
    be freed before the next image is decoded.
    """
    networks.beat()
    started = time.monotonic()
    image.select(networks.rules)
    image.cut()
    image.samples.append(Sample("align", started, time.monotonic()))
    if image.enlarged and image.error is None:
        _align([image], networks.landmarks)


def _detect(images: Sequence[Image], detector: Network, rules: Rules) -> None:
    """Run the detector on images, those of one height together, and again on close-ups."""
    with timed("detect", [image.samples for image in images]):
        _run_detector(images, detector, rules)


def _run_detector(images: Sequence[Image], detector: Network, rules: Rules) -> None:
    by_shape: dict[tuple[int, ...], list[Image]] = defaultdict(list)
    for image in images:
        by_shape[image.shape].append(image)
    for shape, group in by_shape.items():
        canvas = detector.stage((len(group), *shape))
        for image, out in zip(group, canvas, strict=True):
            fill(image.picture.pixels, image.box, out)
        _assign(group, detector(canvas))
        close = [i for i, each in enumerate(group) if close_up.wanted(each.row, rules.close_ups)]
        smaller = [close_up.second_look(canvas[i], group[i].box, rules.heights) for i in close]
        for i, small in zip(close, smaller, strict=True):
            again = {name: array[0] for name, array in detector(small[None]).items()}
            group[i].row = close_up.merged(group[i].row, again, small.shape, group[i].box)


def _assign(images: Sequence[Image], outputs: dict[str, Array]) -> None:
    for i, image in enumerate(images):
        image.row = {name: array[i] for name, array in outputs.items()}


def _align(images: Sequence[Image], network: Network | None) -> None:
    """Place the landmarks of the faces, and cut the faces out by them."""
    if network is not None:
        pixels = [image.picture.pixels for image in images]
        guesses = [image.faces.landmarks for image in images]
        placed = landmarks.placed(network.value, pixels, guesses)
        for image, points in zip(images, placed, strict=True):
            image.faces = image.faces._replace(landmarks=points)
    for image in images:
        image.align()
        image.samples[-1] = image.samples[-1]._replace(ended=time.monotonic())


def _start_reading(images: Sequence[Image], emotion: Network) -> Callable[[], None]:
    """Start to classify the faces of all images; the result waits until that is done."""
    reading = [image for image in images if image.crops]
    crops = [image.crops for image in reading]
    pending = emotion.start(_rows(emotion, crops)) if crops else None

    def finish() -> None:
        with timed("classify", [image.samples for image in reading]):
            scores = _split(pending(), crops) if pending else []
        for image, rows in zip(reading, scores, strict=True):
            image.scores, image.crops = rows, []

    return finish


def _embed(images: Sequence[Image], embedder: Network) -> None:
    reading = [image for image in images if image.aligned]
    crops = [image.aligned for image in reading]
    with timed("embed", [image.samples for image in reading]):
        vectors = _split(embedder(_rows(embedder, crops)), crops) if crops else []
    for image, rows in zip(reading, vectors, strict=True):
        image.embeddings, image.aligned = rows, []


def _rows(network: Network, crops: Sequence[list[U8]]) -> U8:
    """The crops of all images as rows."""
    flat = list(chain.from_iterable(crops))
    return np.stack(flat, out=network.stage((len(flat), *flat[0].shape)))


def _split(outputs: dict[str, Array], crops: Sequence[list[U8]]) -> list[F32]:
    """Split the one output of a network by image."""
    (rows,) = outputs.values()
    return np.split(rows, np.cumsum([len(some) for some in crops])[:-1])
