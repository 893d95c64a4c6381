"""Parts that the command lines of the PyTorch trainings share."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import torch

from training import loop
from training.errors import TrainingError, reported

S = TypeVar("S", bound=loop.Settings)
Network = TypeVar("Network", bound=torch.nn.Module)
Command = Callable[[ArgumentParser], None]
Measure = Callable[[Namespace], Mapping[str, object]]


def main(package: str, commands: Mapping[str, Command]) -> None:
    """Run the command of the arguments; `OMP_NUM_THREADS` limits PyTorch and OpenCV."""
    cv2.setNumThreads(torch.get_num_threads())  # PyTorch reads the variable itself
    parser = ArgumentParser(prog=f"python -m {package}")
    subparsers = parser.add_subparsers(required=True)
    for name, add in commands.items():
        add(subparsers.add_parser(name))
    arguments = parser.parse_args()
    with reported(parser):
        arguments.run(arguments)


def add_run(parser: ArgumentParser, out: Path, every: int) -> None:
    """Add the flags that all runs have, named as the fields of `Settings`."""
    add = parser.add_argument
    add("--out", type=Path, default=out)
    add("--steps", type=int, default=100_000)
    add(
        "--minutes", type=float, default=float("inf"), help="end of the schedule, if before --steps"
    )
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--workers", type=int, default=0, help="processes that make images; 0: none")
    add("--seed", type=int, default=0)
    add("--report", type=int, default=every, help="steps between rows of the curve")
    add("--keep", type=int, default=every, help="steps between checkpoints")
    add("--resume", action="store_true", help="continue from the checkpoint in --out")


def add_teacher(parser: ArgumentParser) -> None:
    """Add the flag of the teacher."""
    parser.add_argument("--teacher", type=Path, required=True, help=".wts file")


def settings_of(kind: type[S], arguments: Namespace) -> S:
    """Return the settings of the flags, and create their folder.

    Raises:
        TrainingError: the folder has a checkpoint that a new run would replace.
    """
    settings = kind(**{field.name: getattr(arguments, field.name) for field in fields(kind)})
    if (settings.out / loop.CHECKPOINT).exists() and not arguments.resume:
        raise TrainingError(
            f"{settings.out} has a checkpoint: add --resume or choose another --out"
        )
    settings.out.mkdir(parents=True, exist_ok=True)
    return settings


def add_figures(parser: ArgumentParser, measure: Measure) -> None:
    """Make a command print the figures of `measure`, and write them to `--out`."""
    parser.set_defaults(run=partial(_print_figures, measure))
    parser.add_argument("--out", type=Path, help="JSON file of the figures")


def _print_figures(measure: Measure, arguments: Namespace) -> None:
    text = json.dumps(measure(arguments), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


def add_export(
    parser: ArgumentParser, kind: type[Network], part: str, save: Callable[[Path, Network], None]
) -> None:
    """Make a command `save` the weights in `part` of a checkpoint to a file."""

    def run(arguments: Namespace) -> None:
        network = kind()
        network.load_state_dict(loop.load(arguments.checkpoint)[part])
        save(arguments.weights, network)

    parser.set_defaults(run=run)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("weights", type=Path, help="file to write")
