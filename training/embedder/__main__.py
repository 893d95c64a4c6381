"""`python -m training.embedder align|train|evaluate|export`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from training import command
from training.embedder.evaluate import evaluate
from training.embedder.faces import Faces, align
from training.embedder.network import MobileFaceNet
from training.embedder.train import Settings, Training, fit
from training.embedder.weights import load_wts, save_wts

RUN = Path("training/runs/embedder")


def add_align(parser: ArgumentParser) -> None:
    """Add the flags of `align`."""
    parser.set_defaults(run=lambda arguments: align(arguments.data, arguments.out))
    parser.add_argument("--data", type=Path, required=True, help="folder of the zip archives")
    parser.add_argument("--out", type=Path, default=RUN / "faces.npz")


def add_train(parser: ArgumentParser) -> None:
    """Add the flags of `train`, named like the fields of `Settings`."""
    parser.set_defaults(run=run_train)
    command.add_run(parser, RUN, every=100)
    command.add_teacher(parser)
    add = parser.add_argument
    add("--faces", type=Path, default=RUN / "faces.npz", help="file of `align`")
    add("--apart", type=float, default=0.3, help="share of the run for single blocks")
    add("--batch", type=int, default=16, help="faces per step")
    add("--blocks", type=int, default=6, help="blocks per step, for single blocks")
    add("--pool", type=int, default=128, help="faces with maps for single blocks")
    add("--late", type=int, default=2048, help="faces with maps for the last blocks")
    add("--reuse", type=int, default=4, help="steps per batch of new faces")
    add("--rate", type=float, default=6e-2, help="for single blocks, relative to their weights")
    add("--fine-rate", type=float, default=4e-3, help="for all blocks together")
    add("--warmup", type=int, default=50)
    add("--hints", type=float, default=1.0, help="weight of the loss on maps between blocks")


def run_train(arguments: Namespace) -> None:
    """Run the training loop."""
    training = Training(command.settings_of(Settings, arguments), Faces.load(arguments.faces))
    if arguments.resume:
        training.resume()
    else:
        training.begin()
    fit(training)


def add_evaluate(parser: ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    command.add_figures(parser, measure)
    parser.add_argument("--faces", type=Path, default=RUN / "faces.npz", help="file of `align`")
    parser.add_argument("--weights", type=Path, required=True, help=".wts file")
    parser.add_argument("--reference", type=Path, required=True, help=".wts file of the teacher")


def measure(arguments: Namespace) -> Mapping[str, object]:
    """Return the figures of `evaluate`."""
    student, teacher = load_wts(arguments.weights), load_wts(arguments.reference)
    return evaluate(student, teacher, Faces.load(arguments.faces))


def main() -> None:
    """Parse the command line and run the command."""
    export = partial(command.add_export, kind=MobileFaceNet, part="student", save=save_wts)
    command.main(
        "training.embedder",
        {"align": add_align, "train": add_train, "evaluate": add_evaluate, "export": export},
    )


if __name__ == "__main__":
    main()
