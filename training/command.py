"""What the command lines of the students that PyTorch trains share."""

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import torch

from training import loop
from training.errors import told

S = TypeVar("S", bound=loop.Settings)
Network = TypeVar("Network", bound=torch.nn.Module)
Command = Callable[[ArgumentParser], None]
Measure = Callable[[Namespace], Mapping[str, object]]


def main(package: str, commands: Mapping[str, Command]) -> None:
    """Read the arguments and go; `OMP_NUM_THREADS` limits both torch and OpenCV."""
    if threads := int(os.environ.get("OMP_NUM_THREADS", "0")):
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    parser = ArgumentParser(prog=f"python -m {package}")
    subparsers = parser.add_subparsers(required=True)
    for name, add in commands.items():
        add(subparsers.add_parser(name))
    arguments = parser.parse_args()
    with told(parser):
        arguments.run(arguments)


def add_run(parser: ArgumentParser, out: Path, every: int) -> None:
    """Add the flags of a run that all students have, named as the fields of `Settings`."""
    add = parser.add_argument
    add("--out", type=Path, default=out)
    add("--steps", type=int, default=100_000)
    add("--minutes", type=float, default=float("inf"), help="end by then, schedule included")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--workers", type=int, default=0, help="processes that make images; 0: in the loop")
    add("--seed", type=int, default=0)
    add("--report", type=int, default=every, help="steps between rows of the curve")
    add("--keep", type=int, default=every, help="steps between checkpoints")
    add("--resume", action="store_true")


def add_teacher(parser: ArgumentParser) -> None:
    """Add the flag of what a student learns from."""
    parser.add_argument("--teacher", type=Path, required=True, help=".wts file")


def settings_of(kind: type[S], arguments: Namespace) -> S:
    """The settings that the flags give; their folder is made."""
    settings = kind(**{field.name: getattr(arguments, field.name) for field in fields(kind)})
    settings.out.mkdir(parents=True, exist_ok=True)
    return settings


def add_figures(parser: ArgumentParser, measure: Measure) -> None:
    """Let a command print what `measure` gives, and write it where `--out` says."""
    parser.set_defaults(run=partial(_tell, measure))
    parser.add_argument("--out", type=Path, help="JSON file of the figures")


def _tell(measure: Measure, arguments: Namespace) -> None:
    text = json.dumps(measure(arguments), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


def add_export(
    parser: ArgumentParser, kind: type[Network], part: str, save: Callable[[Path, Network], None]
) -> None:
    """Let a command `save` the weights in a checkpoint's `part` as a `.wts` file."""

    def run(arguments: Namespace) -> None:
        network = kind()
        network.load_state_dict(loop.load(arguments.checkpoint)[part])
        save(arguments.weights, network)

    parser.set_defaults(run=run)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path, help=".wts file to write")
