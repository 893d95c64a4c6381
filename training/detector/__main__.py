"""`python -m training.detector train|evaluate|export`."""

import argparse
import json
import os
from dataclasses import fields
from pathlib import Path

import cv2
import torch

from training.detector import landmark_scenes
from training.detector.evaluate import Trial, evaluate
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.detector.train import Settings, Training, fit
from training.detector.weights import load_wts, save_wts


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `train`, named as the fields of `Settings`."""
    parser.set_defaults(run=run_train)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives of pictures")
    add("--teacher", type=Path, required=True, help=".wts file")
    add("--backbone", type=Path, help="ImageNet body, a PyTorch file")
    add("--out", type=Path, default=Path("training/runs/detector"))
    add("--steps", type=int, default=100_000)
    add("--minutes", type=float, default=float("inf"), help="end by then, schedule included")
    add("--batch", type=int, default=16, help="scenes of a step")
    add("--size", type=int, default=320, help="side of most scenes; every fourth step: twice")
    add("--rate", type=float, default=2e-3)
    add("--decay", type=float, default=1e-4)
    add("--warmup", type=int, default=200)
    add("--average", type=float, default=0.999, help="decay of the averaged weights")
    add("--features", type=float, default=1.0, help="weight of the feature loss")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--workers", type=int, default=0, help="processes that make scenes; 0: in the loop")
    add("--seed", type=int, default=0)
    add("--report", type=int, default=200, help="steps between rows of the curve")
    add("--keep", type=int, default=200, help="steps between checkpoints")
    add("--resume", action="store_true")


def run_train(arguments: argparse.Namespace) -> None:
    """Run the training loop."""
    settings = Settings(**{f.name: getattr(arguments, f.name) for f in fields(Settings)})
    settings.out.mkdir(parents=True, exist_ok=True)
    training = Training(settings)
    if arguments.resume:
        training.resume()
    fit(training, Pictures.load(arguments.data))


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    parser.set_defaults(run=run_evaluate)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the zip archives of pictures")
    add("--weights", type=Path, required=True, help=".wts file")
    add("--reference", type=Path, help=".wts file to compare with")
    add("--scenes", type=int, default=200)
    add("--annotated", type=int, default=800, help="faces with known landmarks")
    add("--size", type=int, default=640, help="side of the scenes")
    add("--threshold", type=float, default=0.5, help="score that makes a face")
    add("--out", type=Path, help="JSON file of the figures")


def run_evaluate(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    pictures = Pictures.load(arguments.data).split()[1]
    annotated = landmark_scenes.load(arguments.data / "faces_landmarks.zip", arguments.annotated)
    trial = Trial(pictures, annotated, arguments.scenes, arguments.size, arguments.threshold)
    reference = arguments.reference and load_wts(arguments.reference)
    text = json.dumps(evaluate(load_wts(arguments.weights), reference, trial), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `export`."""
    parser.set_defaults(run=run_export)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path, help=".wts file to write")


def run_export(arguments: argparse.Namespace) -> None:
    """Write a checkpoint's averaged weights."""
    network = RetinaFace()
    state = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    network.load_state_dict(state["averaged"])
    save_wts(arguments.weights, network)


def main() -> None:
    """Read the arguments and go; `OMP_NUM_THREADS` limits both torch and OpenCV."""
    if threads := int(os.environ.get("OMP_NUM_THREADS", "0")):
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    parser = argparse.ArgumentParser(prog="python -m training.detector")
    commands = parser.add_subparsers(required=True)
    for name, add in (("train", add_train), ("evaluate", add_evaluate), ("export", add_export)):
        add(commands.add_parser(name))
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
