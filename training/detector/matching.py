"""Which detection is which face, and tallies over face sizes. Boxes are x1 y1 x2 y2 in pixels."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
EDGES = (10, 20, 40, 80, 160)  # of the size bins: box heights
EYES = (15, 25, 40)  # of the eyes' bins, pixels
EYE_BINS = ("<15", "15-25", "25-40", "40+")
BINS = ("<10", "10-20", "20-40", "40-80", "80-160", "160+")


def overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of (N, 4) and (M, 4): (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), -1)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], -1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)


def match(found: Floats, wanted: Floats, threshold: float = 0.5) -> NDArray[np.intp]:
    """For each wanted box the index of its own found box, or -1; the closest pairs first."""
    table, pairs = overlaps(wanted, found), np.full(len(wanted), -1)
    while table.size and table.max() >= threshold:
        row, column = np.unravel_index(table.argmax(), table.shape)
        pairs[row] = column
        table[row], table[:, column] = 0, 0
    return pairs


def size_bin(box: Floats) -> str:
    """Name the bin of a box's height."""
    return BINS[int(np.searchsorted(EDGES, box[3] - box[1], "right"))]


@dataclass
class Recall:
    """Faces wanted and faces found, by size."""

    wanted: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    found: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, boxes: Floats, pairs: NDArray[np.intp]) -> None:
        """Count the wanted `boxes`, of which `pairs` tells whether they were found."""
        for box, pair in zip(boxes, pairs, strict=True):
            self.wanted[size_bin(box)] += 1
            self.found[size_bin(box)] += int(pair >= 0)

    def table(self) -> dict[str, dict[str, float]]:
        """Recall and number of faces by size, and over all of them."""
        rows = {name: (self.found[name], self.wanted[name]) for name in BINS if self.wanted[name]}
        rows["all"] = (sum(self.found.values()), sum(self.wanted.values()))
        return {
            name: {"recall": found / max(wanted, 1), "faces": wanted}
            for name, (found, wanted) in rows.items()
        }


def landmark_error(found: Floats, wanted: Floats) -> float:
    """Mean distance of (5, 2) points over the distance of the wanted eyes (arXiv 1605.02686)."""
    eyes = max(float(np.linalg.norm(wanted[0] - wanted[1])), 1e-6)
    return float(np.linalg.norm(found - wanted, axis=-1).mean() / eyes)


@dataclass
class Errors:
    """Landmark errors of faces with known points, by the distance of the eyes."""

    wanted: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)

    def add(self, found: Floats, wanted: Floats) -> None:
        """Count the face of the points `wanted` (5, 2), `found` (N, 5, 2) as the first or not."""
        self.wanted.append(float(np.linalg.norm(wanted[0] - wanted[1])))
        self.errors.append(landmark_error(found[0], wanted) if len(found) else np.nan)

    def figures(self) -> dict[str, Any]:
        """Faces, share found, mean and median error; the mean for eyes so many pixels apart."""
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
