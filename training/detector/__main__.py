"""`python -m training.detector train|evaluate|export`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from training import command
from training.detector import annotated
from training.detector.evaluate import Trial, evaluate
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.detector.train import Settings, Training, fit
from training.detector.weights import load_wts, save_wts


def add_train(parser: ArgumentParser) -> None:
    """Add the flags of `train`, named like the fields of `Settings`."""
    parser.set_defaults(run=run_train)
    command.add_run(parser, Path("training/runs/detector"), every=200)
    command.add_teacher(parser)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives of pictures")
    add("--backbone", type=Path, help="ImageNet body, a PyTorch file")
    add("--start", type=Path, help=".wts file to train on from")
    add("--batch", type=int, default=16, help="scenes per step")
    add("--size", type=int, default=320, help="side of the scenes; doubled in every fourth step")
    add("--rate", type=float, default=2e-3)
    add("--decay", type=float, default=1e-4)
    add("--warmup", type=int, default=200)
    add("--average", type=float, default=0.999, help="decay of the averaged weights")
    add("--features", type=float, default=1.0, help="weight of the feature loss")


def run_train(arguments: Namespace) -> None:
    """Run the training loop."""
    training = Training(command.settings_of(Settings, arguments))
    if arguments.resume:
        training.resume()
    fit(training, Pictures.load(arguments.data))


def add_evaluate(parser: ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    command.add_figures(parser, measure)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives of pictures")
    add("--weights", type=Path, required=True, help=".wts file")
    add("--reference", type=Path, help=".wts file to compare with")
    add("--scenes", type=int, default=200)
    add("--size", type=int, default=640, help="side of the scenes")
    add("--threshold", type=float, default=0.5, help="lowest score of a face")


def measure(arguments: Namespace) -> Mapping[str, object]:
    """Return the figures of `evaluate`."""
    pictures = Pictures.load(arguments.data).split()[1]
    people = annotated.held_out(arguments.data / annotated.ARCHIVE)
    trial = Trial(pictures, people, arguments.scenes, arguments.size, arguments.threshold)
    reference = arguments.reference and load_wts(arguments.reference)
    return evaluate(load_wts(arguments.weights), reference, trial)


def main() -> None:
    """Parse the command line and run the command."""
    export = partial(command.add_export, kind=RetinaFace, part="averaged", save=save_wts)
    command.main(
        "training.detector", {"train": add_train, "evaluate": add_evaluate, "export": export}
    )


if __name__ == "__main__":
    main()
