"""`python -m training.detector.small`: recall by face size, and cost, for each `min_face`.

Held-out heads are set at random places into a grey frame, and the service's `analyze` finds them
with the plans of `emotions build`. The size of a head is the height of its nominal face box, in
pixels of the frame. Prints a table per frame: for each `min_face` the median CPU time per image,
with 24 heads and with two, and the recall by size at IoU 0.4 with the nominal box. All choices are
measured on each frame in turn, so that a noisy host affects them alike.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from analysis.errors import ServiceError
from analysis.networks import Networks
from analysis.types import MinFace, Options
from engines.types import F32, U8
from service.settings import Settings
from training.detector.matching import match
from training.detector.paste import FACE_SIZE, Placement, paste
from training.detector.pictures import Pictures
from training.serving import analyzed, serving

SIZES = ((640, 480), (1920, 1080), (3840, 2160), (8000, 1000))  # width, height
HEIGHTS = (20, 30, 40, 50, 60, 80, 100, 120)  # of faces, pixels
CHOICES: tuple[MinFace, ...] = ("fast", "auto", 80, 40, 20)
HEADS, FEW = 24, 2  # heads per frame, or as many as have room
CELL = 1.7  # room for a head, in heights of its face
GREY = 128
IOU = 0.4


class Frame(NamedTuple):
    """An RGB frame (h, w, 3) uint8, and its faces, all of one `height`: boxes (N, 4) in pixels."""

    image: U8
    boxes: F32
    height: int


@dataclass
class Row:
    """Results of one choice: found and wanted faces by size, and CPU ms with many and few heads.

    refused: the code of the error if the service rejects the choice for this frame.
    """

    found: dict[int, int] = field(default_factory=lambda: dict.fromkeys(HEIGHTS, 0))
    wanted: dict[int, int] = field(default_factory=lambda: dict.fromkeys(HEIGHTS, 0))
    many: list[float] = field(default_factory=list)
    few: list[float] = field(default_factory=list)
    refused: str = ""

    def text(self) -> str:
        """Return the cells of the row."""
        if self.refused:
            return " | ".join([f"`{self.refused}`", *["" for _ in (1, *HEIGHTS)]])
        rates = [f"{100 * self.found[h] / self.wanted[h]:.0f}" for h in HEIGHTS]
        return " | ".join([*(f"{np.median(each):.0f}" for each in (self.many, self.few)), *rates])


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m training.detector.small")
    parser.add_argument("--data", type=Path, required=True, help="folder of the zip archives")
    parser.add_argument("--frames", type=int, default=4, help="frames per size of face")
    given = parser.parse_args()
    faces = Pictures.load(given.data).split()[1].faces
    with serving(Settings()) as (_, networks):
        for size in SIZES:
            rows = measure(networks, faces, size, given.frames)
            head = ("min_face", f"CPU ms, {HEADS} heads", f"{FEW} heads", *map(str, HEIGHTS))
            print(f"\n{size[0]}x{size[1]}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
            for choice, row in rows.items():
                print(f"| {choice} | {row.text()} |", flush=True)


def measure(
    networks: Networks, faces: U8, size: tuple[int, int], frames: int
) -> dict[MinFace, Row]:
    """Return the results of every choice for frames of one size."""
    rows = {choice: Row() for choice in CHOICES}
    rng = np.random.default_rng(2)
    for _ in range(frames):
        for height in HEIGHTS:
            many, few = (frame(faces, height, size, count, rng) for count in (HEADS, FEW))
            for choice, row in rows.items():
                add(row, networks, choice, (many, few))
    return rows


def add(row: Row, networks: Networks, choice: MinFace, frames: tuple[Frame, Frame]) -> None:
    """Analyze a frame with many heads and one with few, and add the results to `row`."""
    many, few = frames
    try:
        hits, spent = found(networks, many, choice)
        row.few.append(found(networks, few, choice)[1])
    except ServiceError as error:
        row.refused = error.code
        return
    row.many.append(spent)
    row.found[many.height] += hits
    row.wanted[many.height] += len(many.boxes)


def frame(
    faces: U8, height: int, size: tuple[int, int], count: int, rng: np.random.Generator
) -> Frame:
    """Return a frame of `size` (width, height) with `count` heads."""
    image = np.full((size[1], size[0], 3), GREY, np.uint8)
    boxes = []
    for where in places(height, size, count, rng):
        paste(image, faces[rng.integers(len(faces))], where, "head")
        boxes.append(where.face())
    rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    return Frame(rgb, np.array(boxes, np.float32), height)


def places(
    height: int, size: tuple[int, int], count: int, rng: np.random.Generator
) -> Sequence[Placement]:
    """Return places of `count` heads, or of as many as have room, in random cells of a grid."""
    columns, rows = (int(side / (CELL * height)) for side in size)
    width, down = size[0] / columns, size[1] / rows
    free = np.array([width, down]) - CELL * height
    chosen = rng.permutation(columns * rows)[:count]
    corners = [(cell % columns * width, cell // columns * down) for cell in chosen.tolist()]
    shifts = rng.uniform(0, 1, (len(corners), 2)) * free + CELL * height / 2
    side = height / FACE_SIZE[1]
    return [
        Placement((corner[0] + float(shift[0]), corner[1] + float(shift[1])), side)
        for corner, shift in zip(corners, shifts, strict=True)
    ]


def found(networks: Networks, frame: Frame, choice: MinFace) -> tuple[int, float]:
    """Return how many faces of the frame are found, and the CPU ms of this process.

    Raises:
        ServiceError: the service rejects `choice` for this image.
    """
    started = time.process_time()
    faces = analyzed(networks, frame.image, Options(min_face=choice)).faces
    spent = 1000 * (time.process_time() - started)
    pairs = match(faces.boxes, frame.boxes, IOU)
    return int((pairs >= 0).sum()), spent


if __name__ == "__main__":
    main()
