"""`python -m training.embedder align|train|evaluate|export`."""

import argparse
import json
import os
from dataclasses import fields
from pathlib import Path

import cv2
import torch

from training.embedder.evaluate import evaluate
from training.embedder.faces import Faces, align
from training.embedder.network import MobileFaceNet
from training.embedder.train import Settings, Training, fit
from training.embedder.weights import load_wts, save_wts

RUN = Path("training/runs/embedder")


def add_align(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `align`."""
    parser.set_defaults(run=lambda arguments: align(arguments.data, arguments.out))
    parser.add_argument("--data", type=Path, required=True, help="folder of the zip archives")
    parser.add_argument("--out", type=Path, default=RUN / "faces.npz")


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `train`, named as the fields of `Settings`."""
    parser.set_defaults(run=run_train)
    add = parser.add_argument
    add("--faces", type=Path, default=RUN / "faces.npz", help="what `align` wrote")
    add("--teacher", type=Path, required=True, help=".wts file")
    add("--out", type=Path, default=RUN)
    add("--steps", type=int, default=100_000)
    add("--minutes", type=float, default=float("inf"), help="end by then, schedule included")
    add("--apart", type=float, default=0.3, help="share of the run that teaches blocks singly")
    add("--batch", type=int, default=16, help="faces of a step")
    add("--blocks", type=int, default=6, help="blocks of a step, while they learn singly")
    add("--pool", type=int, default=128, help="faces whose maps the single blocks draw from")
    add("--late", type=int, default=2048, help="faces whose maps the last blocks begin with")
    add("--reuse", type=int, default=4, help="steps of the blocks for each batch of new faces")
    add("--rate", type=float, default=6e-2, help="while blocks learn singly, relative to a weight")
    add("--fine-rate", type=float, default=4e-3, help="when they learn together")
    add("--warmup", type=int, default=50)
    add("--hints", type=float, default=1.0, help="weight of the maps between blocks")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--workers", type=int, default=0, help="processes that make views; 0: in the loop")
    add("--seed", type=int, default=0)
    add("--report", type=int, default=100, help="steps between rows of the curve")
    add("--keep", type=int, default=100, help="steps between checkpoints")
    add("--resume", action="store_true")


def run_train(arguments: argparse.Namespace) -> None:
    """Run the training loop."""
    settings = Settings(**{f.name: getattr(arguments, f.name) for f in fields(Settings)})
    settings.out.mkdir(parents=True, exist_ok=True)
    training = Training(settings, Faces.load(arguments.faces))
    if arguments.resume:
        training.resume()
    else:
        training.begin()
    fit(training)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    parser.set_defaults(run=run_evaluate)
    parser.add_argument("--faces", type=Path, default=RUN / "faces.npz", help="what `align` wrote")
    parser.add_argument("--weights", type=Path, required=True, help=".wts file")
    parser.add_argument("--reference", type=Path, required=True, help=".wts file of the teacher")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")


def run_evaluate(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    student, teacher = load_wts(arguments.weights), load_wts(arguments.reference)
    text = json.dumps(evaluate(student, teacher, Faces.load(arguments.faces)), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `export`."""
    parser.set_defaults(run=run_export)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path, help=".wts file to write")


def run_export(arguments: argparse.Namespace) -> None:
    """Write a checkpoint's weights."""
    network = MobileFaceNet()
    state = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(state["student"])
    save_wts(arguments.weights, network)


def main() -> None:
    """Read the arguments and go; `OMP_NUM_THREADS` limits both torch and OpenCV."""
    if threads := int(os.environ.get("OMP_NUM_THREADS", "0")):
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    parser = argparse.ArgumentParser(prog="python -m training.embedder")
    commands = parser.add_subparsers(required=True)
    adders = {
        "align": add_align,
        "train": add_train,
        "evaluate": add_evaluate,
        "export": add_export,
    }
    for name, add in adders.items():
        add(commands.add_parser(name))
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
