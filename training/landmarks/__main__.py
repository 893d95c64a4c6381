"""`python -m training.landmarks train|mark|evaluate|export`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from training import command
from training.descent import Settings
from training.detector import annotated
from training.detector.annotated import Marked
from training.detector.pictures import Pictures
from training.detector.weights import load_wts
from training.landmarks.evaluate import evaluate
from training.landmarks.marks import mark_all
from training.landmarks.network import Placer, export
from training.landmarks.train import Training, fit

RUN = Path("training/runs/landmarks")


def add_train(parser: ArgumentParser) -> None:
    """Add the flags of `train`, named like the fields of `Settings`."""
    parser.set_defaults(run=run_train)
    command.add_run(parser, RUN, every=200)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives of pictures")
    add("--points", type=Path, help="file of `mark`: train on the unlabelled faces, too")
    add("--batch", type=int, default=64, help="faces per step")
    add("--rate", type=float, default=2e-3)
    add("--decay", type=float, default=0.05)
    add("--warmup", type=int, default=100)
    add("--average", type=float, default=0.995, help="decay of the averaged weights")


def run_train(arguments: Namespace) -> None:
    """Run the training loop; every eighth face with moved points is for the curve."""
    training = Training(command.settings_of(Settings, arguments))
    if arguments.resume:
        training.resume()
    well, moved = annotated.training(arguments.data / annotated.ARCHIVE)
    moved, unseen = moved.split()
    sets = [well, moved]
    if arguments.points:
        known, _ = Pictures.load(arguments.data).split()
        points = np.load(arguments.points)[: len(known.faces)]
        sets.append(Marked(known.faces, points).known())
    fit(training, tuple(sets), unseen)


def add_mark(parser: ArgumentParser) -> None:
    """Add the flags of `mark`."""
    parser.set_defaults(run=run_mark)
    add = parser.add_argument
    add("networks", type=Path, nargs="+", help="ONNX files of `train`; the result is their mean")
    add("--data", type=Path, required=True, help="folder of the zip archives of pictures")
    add("--detector", type=Path, required=True, help=".wts file that finds the faces")
    add("--out", type=Path, default=RUN / "points.npy")


def run_mark(arguments: Namespace) -> None:
    """Place landmarks on the unlabelled faces."""
    photos = Pictures.load(arguments.data).faces
    points = mark_all(arguments.networks, load_wts(arguments.detector), photos)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.save(arguments.out, points)


def add_evaluate(parser: ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    command.add_figures(parser, measure)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives of pictures")
    add("--network", type=Path, required=True, help="ONNX file")
    add("--detector", type=Path, required=True, help=".wts file that finds the faces")


def measure(arguments: Namespace) -> Mapping[str, object]:
    """Return the figures of `evaluate`."""
    people = annotated.held_out(arguments.data / annotated.ARCHIVE)
    pictures = Pictures.load(arguments.data).split()[1]
    return evaluate(arguments.network, load_wts(arguments.detector), people, pictures)


def save(path: Path, placer: Placer) -> None:
    """Write `placer` as ONNX."""
    onnx.save(export(deepcopy(placer)), path)


def main() -> None:
    """Parse the command line and run the command."""
    save_onnx = partial(command.add_export, kind=Placer, part="averaged", save=save)
    command.main(
        "training.landmarks",
        {"train": add_train, "mark": add_mark, "evaluate": add_evaluate, "export": save_onnx},
    )


if __name__ == "__main__":
    main()
