"""`python -m training.detector.heights`: recall without the padding below the image.

The code of the service detects faces in the upper rows of held-out scenes, once padded to the
square input and once to the next height of the network: the graph in ONNX Runtime and
`analysis.detection`. Prints for each height and padding the recall at IoU 0.5 with the visible
parts of the nominal boxes, the recall of faces within 32 pixels of the lower edge, false faces per
background picture, and the agreement of both paddings.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from analysis.types import Detections
from engines.geometry import overlaps
from engines.types import F32
from training.detector.evaluate import SEED
from training.detector.matching import match
from training.detector.pictures import Pictures
from training.detector.scenes import make_scene
from training.detector.served import SIDE, detector_of, faces_in

ROWS = (480, 427, 360, 268)  # of frames 640 wide: 4:3, 3:2, 16:9 and 2.39:1
WAYS = {"padded": True, "cut": False}  # by name: whether the input is padded to a square
NEAR, VISIBLE = 32, 0.5


def main() -> None:
    """Measure and print a line for each height and padding."""
    parser = argparse.ArgumentParser(prog="python -m training.detector.heights")
    parser.add_argument("--data", type=Path, required=True, help="folder of the zip archives")
    parser.add_argument("--weights", type=Path, required=True, help=".wts file")
    parser.add_argument("--scenes", type=int, default=300)
    given = parser.parse_args()
    detector, pictures = detector_of(given.weights), Pictures.load(given.data).split()[1]
    scenes = [make_scene(pictures, SIDE, SEED, index) for index in range(given.scenes)]
    empty = [cv2.resize(p[:, :, ::-1], (SIDE, SIDE)) for p in pictures.backgrounds]
    for rows in ROWS:
        frames = [np.ascontiguousarray(scene.image[:rows, :, ::-1]) for scene in scenes]
        upper = [np.asarray(picture[:rows], np.uint8) for picture in empty]
        found = {
            way: [faces_in(detector, image, padded=padded) for image in frames]
            for way, padded in WAYS.items()
        }
        for way, each in found.items():
            false = [len(faces_in(detector, p, padded=WAYS[way]).boxes) for p in upper]
            rates = np.concatenate(
                [
                    recalled(faces, visible(s.faces, rows))
                    for faces, s in zip(each, scenes, strict=True)
                ]
            )
            below = rates[:, 1] > rows - NEAR
            recall, edge = rates[:, 0].mean(), rates[below, 0].mean()
            print(
                f"{rows} {way}: recall {recall:.4f} of {len(rates)}, at the lower edge "
                f"{edge:.4f} of {below.sum()}, false faces {np.mean(false):.4f}",
                flush=True,
            )
        print(f"{rows} agreement: {agreement(found['padded'], found['cut'])}", flush=True)


def visible(faces: F32, rows: int) -> F32:
    """Return the parts of the faces (N, 4) in the upper `rows`, if at least half of a face."""
    shown = faces.copy()
    shown[:, 3] = np.minimum(shown[:, 3], rows)
    return shown[shown[:, 3] - shown[:, 1] >= VISIBLE * (faces[:, 3] - faces[:, 1])]


def recalled(found: Detections, wanted: F32) -> F32:
    """Return for each wanted box whether it was found, and its lower edge: (N, 2)."""
    hits = match(found.boxes, wanted) >= 0
    return np.column_stack([hits, wanted[:, 3]]).astype(np.float32)


def agreement(first: list[Detections], second: list[Detections]) -> str:
    """Compare two lists of detections: matched faces, their IoU and their scores."""
    apart = np.array(list(_apart(first, second)))
    total = sum(len(faces.boxes) for faces in first), sum(len(faces.boxes) for faces in second)
    return (
        f"{len(apart)} of {total[0]} and {total[1]} faces, IoU mean {apart[:, 0].mean():.4f}, "
        f"1 % below {np.quantile(apart[:, 0], 0.01):.3f}, score mean {apart[:, 1].mean():.4f}, "
        f"1 % above {np.quantile(apart[:, 1], 0.99):.3f}"
    )


def _apart(first: list[Detections], second: list[Detections]) -> Iterator[tuple[float, float]]:
    for one, other in zip(first, second, strict=True):
        for place, pair in enumerate(match(other.boxes, one.boxes)):
            if pair >= 0:
                both = one.boxes[place : place + 1], other.boxes[pair : pair + 1]
                score = abs(float(one.scores[place] - other.scores[pair]))
                yield float(overlaps(*both)[0, 0]), score


if __name__ == "__main__":
    main()
