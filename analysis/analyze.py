"""From encoded images to their faces, top to bottom.

Decode, detect (see `analysis.candidates`), suppress duplicates, place landmarks, cut out the faces,
classify, embed. Alone or beside others, an image has the same faces, bit for bit.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import cv2
import numpy as np

from analysis.candidates import find_candidates
from analysis.image import Image
from analysis.landmarks import place_landmarks
from analysis.networks import Network, Networks
from analysis.timing import Sample, timed
from analysis.types import Input, Result
from engines.types import F32, U8, Array

# There is a worker per core; OpenCV's threads would only compete with other workers.
cv2.setNumThreads(1)


def analyze(inputs: Sequence[Input], networks: Networks) -> list[Result]:
    """Find the faces of each image and classify them; results are in the order of `inputs`.

    Images share the detector's batches, and the faces of all images share the batches of the other
    networks. An image with an error is left out of all later stages.

    Raises:
        RunnerError: an engine failed.
    """
    images = [Image(*each) for each in inputs]
    for batch in _batches(images, networks.detectors[0].batch):
        _decode(batch, networks)
        found = _good(batch)
        with timed("detect", [image.samples for image in found]):
            find_candidates(found, networks)
    for image in _good(images):
        _suppress_and_cut(image, networks)
    good = _good(images)
    # The emotion network needs no landmarks: it runs while they are placed.
    finish_classifying = _start_classifying(good, networks.emotion)
    _place_and_align([image for image in good if not image.enlarged], networks.landmarks)
    finish_classifying()
    if networks.embedder is not None:
        _embed(good, networks.embedder)
    return [Result(image.outcome(networks.label_count), image.samples) for image in images]


def _batches(images: Sequence[Image], size: int) -> Iterator[Sequence[Image]]:
    return (images[start : start + size] for start in range(0, len(images), size))


def _good(images: Sequence[Image]) -> list[Image]:
    """Return the images that have no error."""
    return [image for image in images if image.error is None]


def _decode(images: Sequence[Image], networks: Networks) -> None:
    for image in images:
        networks.beat()
        image.decode(networks.rules, networks.jpeg_decoder)


def _suppress_and_cut(image: Image, networks: Networks) -> None:
    """Suppress duplicate candidates, and cut out the remaining faces for the emotion network.

    If the image is decoded again because of a small face, its landmarks are placed at once: this
    frees its many pixels before another image is decoded again.
    """
    networks.beat()
    started = time.monotonic()
    image.select(networks.rules)
    image.cut()
    image.samples.append(Sample("align", started, time.monotonic()))
    if image.enlarged and image.error is None:
        _place_and_align([image], networks.landmarks)


def _place_and_align(images: Sequence[Image], network: Network | None) -> None:
    """Place the landmarks of all faces, and use them to cut out the faces for the embedder."""
    if network is not None:
        pixels = [image.picture.pixels for image in images]
        guesses = [image.faces.landmarks for image in images]
        placed = place_landmarks(network.output, pixels, guesses)
        for image, points in zip(images, placed, strict=True):
            image.faces = image.faces._replace(landmarks=points)
    for image in images:
        image.align()
        # Extend the sample that `_suppress_and_cut` added: both belong to the stage `align`.
        image.samples[-1] = image.samples[-1]._replace(ended=time.monotonic())


def _start_classifying(images: Sequence[Image], emotion: Network) -> Callable[[], None]:
    """Start the emotion network on the faces of all images; the returned function waits for it."""
    with_faces = [image for image in images if image.emotion_crops]
    crops = [image.emotion_crops for image in with_faces]
    wait = emotion.start(_rows(emotion, crops)) if crops else None

    def finish() -> None:
        with timed("classify", [image.samples for image in with_faces]):
            scores = _split(wait(), crops) if wait else []
        for image, rows in zip(with_faces, scores, strict=True):
            image.read(rows)

    return finish


def _embed(images: Sequence[Image], embedder: Network) -> None:
    """Embed the faces of the images for which embeddings are requested."""
    with_faces = [image for image in images if image.arcface_crops]
    crops = [image.arcface_crops for image in with_faces]
    with timed("embed", [image.samples for image in with_faces]):
        vectors = _split(embedder(_rows(embedder, crops)), crops) if crops else []
    for image, rows in zip(with_faces, vectors, strict=True):
        image.embeddings, image.arcface_crops = rows, []


def _rows(network: Network, crops: Sequence[list[U8]]) -> U8:
    """Stack the crops of all images into one batch, in memory that the runner need not copy."""
    flat = list(chain.from_iterable(crops))
    return np.stack(flat, out=network.input_buffer((len(flat), *flat[0].shape)))


def _split(outputs: dict[str, Array], crops: Sequence[list[U8]]) -> list[F32]:
    """Split the only output of a network into the rows of each image."""
    (rows,) = outputs.values()
    return np.split(rows, np.cumsum([len(some) for some in crops])[:-1])
