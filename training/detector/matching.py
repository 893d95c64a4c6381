"""Matches detections and faces, and counts by face size. Boxes are x1 y1 x2 y2 in pixels."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.geometry import overlaps
from engines.types import F32

EDGES = (10, 20, 40, 80, 160)  # box heights between the size bins
EYES = (15, 25, 40)  # distances of the eyes between their bins, pixels
EYE_BINS = ("<15", "15-25", "25-40", "40+")
BINS = ("<10", "10-20", "20-40", "40-80", "80-160", "160+")


def match(found: F32, wanted: F32, threshold: float = 0.5) -> NDArray[np.intp]:
    """Return per wanted box the index of its found box, or -1; the closest pairs match first."""
    table, pairs = overlaps(wanted, found), np.full(len(wanted), -1)
    while table.size and table.max() >= threshold:
        row, column = np.unravel_index(table.argmax(), table.shape)
        pairs[row] = column
        table[row], table[:, column] = 0, 0
    return pairs


def size_bin(box: F32) -> str:
    """Return the name of the bin for the height of a box."""
    return BINS[int(np.searchsorted(EDGES, box[3] - box[1], "right"))]


@dataclass
class Recall:
    """Numbers of wanted and found faces, by size."""

    wanted: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    found: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, boxes: F32, pairs: NDArray[np.intp]) -> None:
        """Add wanted `boxes`; a box was found if its entry of `pairs` is not negative."""
        for box, pair in zip(boxes, pairs, strict=True):
            self.wanted[size_bin(box)] += 1
            self.found[size_bin(box)] += int(pair >= 0)

    def table(self) -> dict[str, dict[str, float]]:
        """Return recall and number of faces, by size and in total."""
        rows = {name: (self.found[name], self.wanted[name]) for name in BINS if self.wanted[name]}
        rows["all"] = (sum(self.found.values()), sum(self.wanted.values()))
        return {
            name: {"recall": found / max(wanted, 1), "faces": wanted}
            for name, (found, wanted) in rows.items()
        }


def landmark_error(found: F32, wanted: F32) -> float:
    """Return the mean distance of points (5, 2) over that of the eyes (arXiv 1605.02686)."""
    eyes = max(float(np.linalg.norm(wanted[0] - wanted[1])), 1e-6)
    return float(np.linalg.norm(found - wanted, axis=-1).mean() / eyes)


@dataclass
class Errors:
    """Landmark errors of annotated faces, by the distance of the eyes."""

    wanted: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def add(self, found: F32, wanted: F32) -> None:
        """Add a face with points `wanted` (5, 2); `found` (N, 5, 2) is empty for a missed face."""
        self.wanted.append(float(np.linalg.norm(wanted[0] - wanted[1])))
        self.errors.append(landmark_error(found[0], wanted) if len(found) else np.nan)

    def figures(self) -> dict[str, Any]:
        """Return the number of faces, the found share, and errors, also by distance of the eyes."""
        apart, errors = np.array(self.wanted), np.array(self.errors)
        bins = np.searchsorted(EYES, apart, "right")
        means = {
            name: float(np.nanmean(errors[bins == place]))
            for place, name in enumerate(EYE_BINS)
            if not np.isnan(errors[bins == place]).all()
        }
        known = errors[~np.isnan(errors)]
        return {
            "faces": len(errors),
            "found": len(known) / max(len(errors), 1),
            "mean_error": float(known.mean()) if len(known) else np.nan,
            "median_error": float(np.median(known)) if len(known) else np.nan,
            "mean_error_by_eyes": means,
        }
