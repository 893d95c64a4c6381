"""`python -m training.detector.kinds`: recall by kind of view, and false faces.

Held-out photographs are set into held-out backgrounds, see `kinds_of_view`. The detectors run as in
the service. A face is found if a box has an IoU of 0.4 with the nominal box and at least the score
of the service. Prints three tables: false faces in pictures without a face, recall, and the share
of landmarks that follow a turned face. The recall of the first network is also given at the score
with which it has as many false faces as the reference. Standard errors of differences are clustered
by photograph, because a photograph is used more than once.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.pose import rolls
from analysis.types import Detections
from engines.geometry import overlaps
from engines.types import F64, U8
from training.detector.kinds_of_view import KINDS, Kind, Picture, empty, pictures_of
from training.detector.pictures import Pictures
from training.detector.profiles import in_profile
from training.detector.served import IOU, SCORE, SIDE, Detector, detector_of, faces_in
from training.detector.weights import load_wts

TURN = 20.0  # largest difference between the roll of the landmarks and the truth, degrees
FEWEST = 40  # photographs in profile; with fewer, those of the training part are added
MOSAIC = 4  # backgrounds in a row and in a column of a mosaic
LOWEST = 0.3  # lowest score of the faces that are kept, so that other scores can be tried


@dataclass(frozen=True)
class Outcome:
    """The N faces of one kind for one network.

    scores: (N,), 0 for a missed face; follows: (N,) bool, whether the roll of the landmarks is
    within `TURN` of the truth; people: (N,) index of the photograph.
    """

    scores: F64
    follows: NDArray[np.bool_]
    people: NDArray[np.intp]

    def recall(self, score: float = SCORE) -> float:
        """Return the share of the faces found with at least `score`, in percent."""
        return 100 * float((self.scores >= score).mean())

    def turned(self) -> float:
        """Return the share of the found faces whose landmarks follow, in percent."""
        found = self.scores >= SCORE
        return 100 * float(self.follows[found].sum() / max(found.sum(), 1))


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m training.detector.kinds")
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives")
    add("--weights", type=Path, required=True, help=".wts file to evaluate")
    add("--reference", type=Path, required=True, help=".wts file to compare with")
    add("--others", type=Path, nargs="*", default=[], help="more .wts files")
    add("--faces", type=int, default=1000, help="faces per kind")
    add("--side", type=int, default=SIDE, help="side of pictures and input, a multiple of 32")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    files = (given.weights, *given.others, given.reference)
    print(f"networks: {', '.join(map(str, files))}")
    detectors, every = [detector_of(file, given.side) for file in files], Pictures.load(given.data)
    equal = print_false(detectors, every.split()[1], given.side)
    outcomes = {}
    for kind, pictures in trials(every, given.reference):
        shown = pictures_of(kind, pictures, given.faces, given.side)
        outcomes[kind] = evaluate(detectors, shown, given.side)
    print_recall(outcomes, equal)
    print_turns(outcomes)


def trials(every: Pictures, reference: Path) -> Iterator[tuple[Kind, Pictures]]:
    """Yield each kind with its photographs and backgrounds."""
    held_out = every.split()[1]
    for kind in KINDS:
        yield kind, profiles(every, reference) if kind.in_profile else held_out


def profiles(every: Pictures, reference: Path) -> Pictures:
    """Return the held-out photographs in profile, or all in profile if those are too few."""
    network, held_out = load_wts(reference), every.split()[1]
    people = in_profile(network, held_out.faces)
    part = "held-out"
    if len(people) < FEWEST:
        people, part = in_profile(network, every.faces), f"held-out ({len(people)}) and training"
    print(f"photographs in profile: {len(people)}, {part} part")
    return Pictures(people, held_out.backgrounds)


def evaluate(
    detectors: Sequence[Detector], pictures: Iterable[Picture], side: int
) -> list[Outcome]:
    """Return one outcome per detector."""
    rows = [
        [judged(faces_in(detector, each.image, side, score=LOWEST), each) for detector in detectors]
        for each in pictures
    ]
    return [
        Outcome(*(np.concatenate(part) for part in zip(*column, strict=True)))
        for column in zip(*rows, strict=True)
    ]


def judged(faces: Detections, truth: Picture) -> tuple[F64, NDArray[np.bool_], NDArray[np.intp]]:
    """Return the fields of `Outcome` for one picture, whose faces lie apart."""
    table = (overlaps(truth.boxes, faces.boxes) >= IOU) * faces.scores
    scores = table.max(axis=1, initial=0).astype(np.float64)
    apart = np.full(len(scores), np.inf)
    if found := np.flatnonzero(scores).tolist():
        best = table[found].argmax(axis=1)
        apart[found] = np.abs((rolls(faces.landmarks[best]) - truth.rolls[found] + 180) % 360 - 180)
    return scores, apart <= TURN, np.array(truth.people, np.intp)


def difference(first: Outcome, second: Outcome) -> tuple[float, float]:
    """Return the difference of the recalls and its standard error, in percentage points.

    The error is that of a mean over clusters, one per photograph.
    """
    apart = (first.scores >= SCORE).astype(np.float64) - (second.scores >= SCORE)
    sums = np.bincount(first.people, apart - apart.mean())
    return 100 * float(apart.mean()), 100 * float(np.sqrt((sums**2).sum())) / len(apart)


def print_recall(outcomes: Mapping[Kind, list[Outcome]], equal: float) -> None:
    """Print a row per kind: the recall of each network, and the first against the last."""
    count = len(next(iter(outcomes.values())))
    _print_head("recall, %", count, f"first, from {equal:.2f}", "faces", "first - reference")
    for kind, row in outcomes.items():
        recalls = " | ".join(f"{value:.1f}" for value in [each.recall() for each in row])
        apart, error = difference(row[0], row[-1])
        more = f"{row[0].recall(equal):.1f} | {len(row[0].scores)} | {apart:+.1f} ± {error:.1f}"
        print(f"| {kind.name} | {recalls} | {more} |")


def print_turns(outcomes: Mapping[Kind, list[Outcome]]) -> None:
    """Print the share of the found faces whose landmarks are turned as the face is."""
    _print_head(f"landmarks within {TURN:.0f}°, %", len(next(iter(outcomes.values()))))
    for kind, row in outcomes.items():
        if kind == KINDS[0] or any(kind.turn):
            print(f"| {kind.name} | {' | '.join(f'{each.turned():.1f}' for each in row)} |")


def print_false(detectors: Sequence[Detector], pictures: Pictures, side: int) -> float:
    """Print the number of faces in pictures without a face, by effect and in total.

    Returns the score with which the first network has at most as many as the last.
    """
    _print_head("false faces", len(detectors), "pictures")
    scores, shown = [np.zeros(0)] * len(detectors), 0
    for name, images in without_faces(pictures, side):
        found = [false_scores(each, images, side) for each in detectors]
        scores = [np.append(*pair) for pair in zip(scores, found, strict=True)]
        shown += len(images)
        print(f"| {name} | {_counts(found)} | {len(images)} |", flush=True)
    print(f"| all | {_counts(scores)} | {shown} |", flush=True)
    return equal_score(scores[0], scores[-1])


def without_faces(pictures: Pictures, side: int) -> Iterator[tuple[str, list[U8]]]:
    """Yield names and pictures: backgrounds and mosaics of them, plain, with effects, cut out."""
    for kind in KINDS:
        if kind == KINDS[0] or kind.effect or kind.cut_out:
            yield kind.name, list(empty(pictures, kind, side))
        if kind == KINDS[0] or kind.effect:
            yield f"{kind.name}, mosaics", list(empty(pictures, kind, side, MOSAIC))


def false_scores(detector: Detector, images: Sequence[U8], side: int) -> F64:
    """Return the scores of all faces in `images`."""
    found = [faces_in(detector, image, side, score=LOWEST).scores for image in images]
    return np.concatenate(found).astype(np.float64)


def equal_score(first: F64, second: F64) -> float:
    """Return the score from which `first` has at most as many entries as `second` from `SCORE`."""
    allowed = int((second >= SCORE).sum())
    if len(first) <= allowed:
        return LOWEST
    return float(np.nextafter(np.sort(first)[::-1][allowed], 1))


def _counts(scores: Sequence[F64]) -> str:
    return " | ".join(str(int((each >= SCORE).sum())) for each in scores)


def _print_head(title: str, networks: int, *more: str) -> None:
    names = ["first", *(f"other {n}" for n in range(1, networks - 1)), "reference"]
    columns = (title, *names, *more)
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)


if __name__ == "__main__":
    main()
