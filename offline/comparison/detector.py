"""A detector as the service runs it, in this process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import msgspec
import numpy as np

from analysis.candidates import find_candidates
from analysis.detection import select
from analysis.image import Image
from analysis.networks import Networks, open_networks
from analysis.types import Options
from engines.types import F32
from offline.errors import ComparisonError
from service.factory import find_models, plans_of
from service.options import default_options
from service.settings import Settings

# Faces from this score on are kept, so that other lowest scores can be tried.
LOWEST = 0.05
# More faces than a picture has: the largest ones must not displace others.
MOST_FACES = 100_000


class Found(NamedTuple):
    """The faces in one picture: boxes (K, 4) in its pixels, scores (K,), float32.

    milliseconds: CPU time of this process from the decoded pixels to the boxes: scaling, all passes
    of the detector, and the suppression of duplicates.
    """

    boxes: F32
    scores: F32
    milliseconds: float


class Detector:
    """Detects the faces of one picture at a time."""

    def __init__(self, networks: Networks, options: Options) -> None:
        self._networks, self._options = networks, options

    def __call__(self, name: str, data: bytes) -> Found:
        """Return all faces from the score `LOWEST` on.

        Raises:
            ComparisonError: the picture cannot be read.
            RunnerError: the engine failed.
        """
        rules = self._networks.rules
        image = Image(data, self._options)
        image.decode(rules)
        if image.error is not None:
            raise ComparisonError(f"{name}: {image.error}") from image.error
        started = time.process_time()
        find_candidates([image], self._networks)
        image.found(rules)
        milliseconds = 1000 * (time.process_time() - started)
        image.faces = select(
            image.candidates,
            image.letterbox,
            min_score=min(LOWEST, self._options.min_score),
            nms_iou=rules.nms_iou,
            max_faces=MOST_FACES,
        )
        image.align()  # to pixels of the picture as it is stored
        return Found(image.faces.boxes, np.asarray(image.faces.scores, np.float32), milliseconds)


@contextmanager
def open_detector(settings: Settings) -> Iterator[Detector]:
    """Open the detector that the settings name, with their options.

    Raises:
        EngineError: there is no such detector, or its plan is missing; the message names the fix.
    """
    cv2.setNumThreads(1)  # as in a worker of the service
    models = find_models(settings)
    plans = msgspec.structs.replace(plans_of(settings, models), landmarks=None, embedder=None)
    with open_networks(models.engine, plans) as networks:
        yield Detector(networks, default_options(settings))
