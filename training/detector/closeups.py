"""`python -m training.detector.closeups`: recall for faces that fill the frame, and its cost.

Held-out photographs are enlarged until the nominal box of their face is 0.65 to 2 times as high as
the frame. The code of the service detects faces in them: the graph in ONNX Runtime,
`analysis.detection` and `analysis.close_up`. Prints for each policy the recall at IoU 0.5 with the
visible part of the box, faces per picture, and second detections per picture.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from analysis import close_up
from analysis.close_up import CloseUps
from analysis.types import DetectorInput
from engines.geometry import overlaps
from engines.types import F32, U8
from training.detector.paste import FACE_CENTRE, FACE_SIZE
from training.detector.pictures import Pictures
from training.detector.served import SIDE, Detector, detector_of, heights_of, selected
from training.geometry import letterbox

FRAMES = ((640, 640), (640, 480), (1280, 720))  # width, height
FILLS = (0.65, 0.8, 1.0, 1.25, 1.5, 2.0)  # height of the face over that of the frame
INPUT = DetectorInput((SIDE, SIDE), heights_of())


def main() -> None:
    """Measure and print a line for each size of face and policy."""
    parser = argparse.ArgumentParser(prog="python -m training.detector.closeups")
    parser.add_argument("--data", type=Path, required=True, help="folder of the zip archives")
    parser.add_argument("--weights", type=Path, required=True, help=".wts file")
    parser.add_argument("--faces", type=int, default=40, help="faces per frame size and fill")
    given = parser.parse_args()
    detector, pictures = detector_of(given.weights), Pictures.load(given.data).split()[1]
    for policy in get_args(CloseUps):
        for fill in FILLS:
            sets = frames(pictures, fill, given.faces)
            found = [find(detector, image, box, policy) for image, box in sets]
            _print_row(policy, str(fill), found)
        empty = [cv2.resize(p[:, :, ::-1], (450, 450)) for p in pictures.backgrounds]
        found = [find(detector, p, np.zeros(4, np.float32), policy) for p in empty]
        _print_row(policy, "no face", found)


def _print_row(policy: str, what: str, found: list[tuple[bool, int, bool]]) -> None:
    recall, faces, again = np.mean(found, axis=0).tolist()
    print(f"{policy} {what}: found {recall:.3f}, faces {faces:.3f}, again {again:.3f}", flush=True)


def frames(pictures: Pictures, fill: float, count: int) -> Iterator[tuple[U8, F32]]:
    """Yield RGB frames of all sizes, each with one face, and the visible part of its box."""
    for size in FRAMES:
        rng = np.random.default_rng(7)
        for index in rng.permutation(len(pictures.faces))[:count]:
            yield frame(pictures.faces[index][:, :, ::-1], fill, size, rng)


def frame(
    photo: U8, fill: float, size: tuple[int, int], rng: np.random.Generator
) -> tuple[U8, F32]:
    """Place a face near the middle of a frame, turned a little."""
    extent, side = np.array(size), fill * size[1] / FACE_SIZE[1]
    centre = extent / 2 + rng.uniform(-0.15, 0.15, 2) * extent
    middle = len(photo) * np.array(FACE_CENTRE)
    matrix = cv2.getRotationMatrix2D(tuple(middle), rng.normal(0, 8), side / len(photo))
    matrix[:, 2] += centre - middle
    warp = partial(cv2.warpAffine, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    half = side * np.array(FACE_SIZE) / 2
    box = np.clip([*centre - half, *centre + half], 0, size * 2)
    return np.asarray(warp(np.ascontiguousarray(photo), matrix, size)), box.astype(np.float32)


def find(detector: Detector, image: U8, wanted: F32, policy: CloseUps) -> tuple[bool, int, bool]:
    """Return whether the face is found, the number of faces, and if there was a second pass."""
    canvas, box = letterbox(image, *INPUT)
    row = detector(canvas)
    if again := close_up.wanted(row, policy):
        small = close_up.second_look(canvas, box, INPUT)
        row = close_up.merged(row, detector(small), small.shape, box, INPUT)
    boxes = selected(row, box).boxes
    hit = bool(len(boxes)) and float(overlaps(boxes, wanted[None]).max()) >= 0.5
    return hit, len(boxes), again


if __name__ == "__main__":
    main()
