"""Runs detectors on labelled pictures, one detector after the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from analysis.errors import ServiceError
from analysis.limits import ImageLimits
from offline.comparison.detector import LOWEST, Detector, open_detector
from offline.comparison.figures import Figures, Judged, figures
from offline.comparison.matching import match
from offline.comparison.pictures import LabelledPicture, labelled_pictures
from offline.contents import read_content
from offline.errors import ComparisonError
from offline.files import FoundFile
from offline.progress import count_results
from service.settings import Settings


class Comparison(NamedTuple):
    """The pictures, and per detector what it found in each of them, and its figures.

    iou: from which overlap on a face is found; min_score: from which score on.
    """

    pictures: Sequence[LabelledPicture]
    judged: dict[str, list[Judged]]
    figures: list[Figures]
    iou: float
    min_score: float


def compare(
    folder: Path,
    detectors: Sequence[str],
    settings: Settings,
    console: Console,
    *,
    iou: float,
    exclude: Path | None = None,
) -> Comparison:
    """Run the catalog's `detectors` on the pictures of `folder`, without those of `exclude`.

    Raises:
        ComparisonError: the pictures or their labels cannot be used.
        EngineError: a detector or its plan is missing.
    """
    limits = ImageLimits(settings.max_image_bytes, settings.max_pixels)
    pictures = labelled_pictures(
        folder, limits, lambda line: console.print(line, markup=False), exclude
    )
    judged = {}
    for name in dict.fromkeys(detectors):
        with open_detector(settings.model_copy(update={"detector": name})) as detector:
            judged[name] = _judge(detector, pictures, limits.max_bytes, iou, console)
    rows = figures(judged, settings.min_score, min(LOWEST, settings.min_score))
    return Comparison(pictures, judged, rows, iou, settings.min_score)


def _judge(
    detector: Detector,
    pictures: Sequence[LabelledPicture],
    max_bytes: int,
    iou: float,
    console: Console,
) -> list[Judged]:
    judged = []
    with count_results(console, len(pictures), "pictures") as counter:
        for file, truth in pictures:
            found = detector(file.name, read(file, max_bytes))
            matches = match(found.boxes, found.scores, truth, iou)
            judged.append(Judged(truth, matches, found.milliseconds))
            counter.advance()
    return judged


def read(file: FoundFile, max_bytes: int) -> bytes:
    """Read a picture again.

    Raises:
        ComparisonError: it has changed, and cannot be read any more.
    """
    try:
        return read_content(file.path, max_bytes).data
    except (OSError, ServiceError) as error:
        raise ComparisonError(f"{file.name} cannot be read any more: {error}") from error
