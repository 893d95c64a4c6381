"""The pictures of a folder, with their labelled faces."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.decode import Picture, open_picture
from analysis.errors import ServiceError
from analysis.limits import ImageLimits
from engines.types import F32
from offline.comparison.labels import Label, read_labels
from offline.contents import read_content
from offline.errors import ComparisonError
from offline.files import FoundFile, find_files
from offline.kinds import Kind


class Truth(NamedTuple):
    """The faces of a picture, x1 y1 x2 y2 in its pixels, float32.

    boxes: (N, 4), to be found; ignored: (M, 4), neither to be found nor false.
    """

    boxes: F32
    ignored: F32


class LabelledPicture(NamedTuple):
    """A picture that can be read, and its faces."""

    file: FoundFile
    truth: Truth


def labelled_pictures(
    folder: Path, limits: ImageLimits, note: Callable[[str], None], exclude: Path | None = None
) -> list[LabelledPicture]:
    """Find the pictures below `folder` by their content, and read its labels.

    A picture without a label has no face. One that cannot be read is left out, with a line to
    `note`, unless it has a label.

    Raises:
        ComparisonError: there is no picture, or the labels do not fit the pictures.
    """
    labels: dict[str, list[Label]] = defaultdict(list)
    for label in read_labels(folder):
        labels[label.file].append(label)
    found = []
    for file in find_files([folder], exclude):
        labelled = labels.pop(file.name, [])
        try:
            picture = _open(file, limits)
        except (OSError, ServiceError) as error:
            _leave_out(file, labelled, error, note)
            continue
        if picture is not None:
            found.append(LabelledPicture(file, _truth(labelled, picture)))
        elif labelled:
            raise ComparisonError(f"{labelled[0].place}: {file.name} is no picture")
    _check_rest([rows[0] for rows in labels.values()], folder)
    if not found:
        raise ComparisonError(f"{folder} has no picture; put the pictures beside the labels")
    return found


def _open(file: FoundFile, limits: ImageLimits) -> Picture | None:
    """Return a small copy of a picture, or None for a file of another kind."""
    if file.left_out:
        return None
    if file.error:
        raise OSError(file.error)
    content = read_content(file.path, limits.max_bytes)
    if content.kind is not Kind.IMAGE:
        return None
    return open_picture(content.data, limits, side=lambda *_: 1)


def _leave_out(
    file: FoundFile, labels: Sequence[Label], error: Exception, note: Callable[[str], None]
) -> None:
    if labels:
        raise ComparisonError(f"{labels[0].place}: {file.name} cannot be read: {error}") from error
    note(f"left out: {file.name}: {error}")


def _truth(labels: Sequence[Label], picture: Picture) -> Truth:
    size = np.array([picture.width, picture.height] * 2, np.float32)
    for label in labels:
        _check_inside(label, picture)
    return Truth(
        *(
            np.clip(np.array(boxes, np.float32).reshape(-1, 4), 0, size)
            for boxes in (
                [label.box for label in labels if not label.ignored],
                [label.box for label in labels if label.ignored],
            )
        )
    )


def _check_inside(label: Label, picture: Picture) -> None:
    """Check the middle of a box: the box of a face that the border cuts may stick out."""
    x1, y1, x2, y2 = label.box
    if not (0 <= x1 + x2 <= 2 * picture.width and 0 <= y1 + y2 <= 2 * picture.height):
        raise ComparisonError(
            f"{label.place}: the box lies outside {label.file}, which has {picture.width} x "
            f"{picture.height} pixels; boxes are in pixels of the upright picture"
        )


def _check_rest(labels: Sequence[Label], folder: Path) -> None:
    if labels:
        more = f", and {len(labels) - 1} more" if len(labels) > 1 else ""
        raise ComparisonError(
            f"{labels[0].place}: {labels[0].file!r} is not in {folder}{more}; names are relative "
            "to that folder"
        )
