"""Draw where landmarks fail: the portraits of `training.ladders`, degraded step by step.

`python -m training.landmarks.failures` writes `failures-landmarks.png` into `docs/images`, with the
plans of `emotions build`.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from analysis.landmarks import eyes
from analysis.networks import Networks
from service.settings import Settings
from training.failures import IMAGES, Cell, sheet
from training.ladders import LADDERS, SIDE, Portrait, portraits, turned
from training.serving import analyzed, serving

# Landmarks by eye: pupils, tip of the nose, corners of the mouth, in pixels of the photographs.
ASTRONAUT = [[203.5, 101.0], [246.5, 103.3], [223.5, 128.0], [202.7, 139.5], [244.5, 141.3]]
HOPPER = [[222.0, 190.0], [304.5, 186.0], [266.5, 236.0], [228.5, 280.5], [307.0, 278.5]]
GOOD = 0.1  # distances of the eyes
DOT = 7  # pixels of 320
LOST = "nothing"


def main() -> None:
    """Write the sheet."""
    draw(Settings(), IMAGES)


def draw(settings: Settings, folder: Path) -> None:
    """Write the sheet into `folder`."""
    with serving(settings) as (_, networks):
        rows = [(name, [_place(networks, c) for c in row]) for name, row in ladders()]
    sheet(rows).quantize(256).save(folder / "failures-landmarks.png", optimize=True)


def ladders() -> list[tuple[str, list[Portrait]]]:
    """Return a row per change: both portraits, unchanged and with growing strength."""
    rows = []
    for name, (change, steps) in LADDERS.items():
        row = []
        for portrait in portraits(ASTRONAUT, HOPPER):
            row.append(portrait)
            for step in steps:
                angle = step if change is turned else 0.0
                points = turned_points(portrait.landmarks, angle)
                row.append(Portrait(change(portrait.image, step), portrait.box, points))
        rows.append((name, row))
    return rows


def turned_points(points: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Return points (5, 2) moved as by `training.ladders.turned`."""
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, 1)
    return np.asarray((points - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5)


def _place(networks: Networks, portrait: Portrait) -> Cell:
    """Draw the landmarks of the service, and their error against those by eye."""
    result = analyzed(networks, portrait.image)
    image = Image.fromarray(portrait.image)
    if not len(result.faces.scores):
        return Cell(image, LOST, False)
    points = result.faces.landmarks[0]
    for x, y in points:
        ImageDraw.Draw(image).ellipse((x - DOT, y - DOT, x + DOT, y + DOT), fill=(255, 220, 0))
    off = np.linalg.norm(points - portrait.landmarks, axis=1).mean() / eyes(portrait.landmarks)
    return Cell(image, f"{100 * off:.1f} %", bool(off < GOOD))


if __name__ == "__main__":
    main()
