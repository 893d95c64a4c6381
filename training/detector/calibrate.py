"""`python -m training.detector.calibrate`: shift the scores until false faces are rare enough.

A network that learns to find faces in the dark also finds more faces where there are none. This
command lowers the logit of the class "face" by a constant. The network then has at most as many
false faces as the reference, at the score of the service. The pictures are backgrounds of the
training part, plain and with the effects of `kinds_of_view`. The held-out part is for evaluation.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from training.detector.kinds import print_false
from training.detector.network import ANCHORS_PER_CELL, RetinaFace
from training.detector.pictures import Pictures
from training.detector.served import SCORE, SIDE, detector_of
from training.detector.weights import load_wts, save_wts


def main() -> None:
    """Write the shifted weights, and print the score that becomes 0.5."""
    parser = argparse.ArgumentParser(prog="python -m training.detector.calibrate")
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives")
    add("--weights", type=Path, required=True, help=".wts file to shift")
    add("--reference", type=Path, required=True, help=".wts file with the wanted false faces")
    add("--out", type=Path, required=True, help=".wts file to write")
    add("--backgrounds", type=int, default=500, help="pictures per effect")
    given = parser.parse_args()
    part = Pictures.load(given.data).split()[0]
    pictures = replace(part, backgrounds=part.backgrounds[: given.backgrounds])
    score = score_of(given.weights, given.reference, pictures)
    network = load_wts(given.weights)
    lower(network, score)
    save_wts(given.out, network)
    print(f"a score of {score:.3f} becomes 0.5")


def score_of(weights: Path, reference: Path, pictures: Pictures, side: int = SIDE) -> float:
    """Return the score from which `weights` has at most the false faces of `reference`."""
    detectors = [detector_of(file, side) for file in (weights, reference)]
    return max(print_false(detectors, pictures, side), SCORE)


def lower(network: RetinaFace, score: float) -> None:
    """Lower the logits of faces so that `score` becomes 0.5."""
    shift = float(np.log(score / (1 - score)))
    with torch.no_grad():
        for head in network.ClassHead:
            # Two values per anchor: no face, face.
            head.conv1x1.bias.view(ANCHORS_PER_CELL, 2)[:, 1] -= shift


if __name__ == "__main__":
    main()
