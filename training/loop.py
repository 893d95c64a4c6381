"""The loop of all PyTorch trainings: settings, steps, reports and the checkpoint."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from training import curve
from training.curve import Row
from training.schedule import Clock

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Settings:
    """Options of every run; `training.command.add_run` describes each field."""

    out: Path
    steps: int
    minutes: float
    batch: int
    rate: float
    warmup: int
    device: str
    workers: int
    seed: int
    report: int
    keep: int


class Training(Protocol):
    """A training in progress."""

    step: int
    clock: Clock
    rate: float

    @property
    def settings(self) -> Settings:
        """Options of the run."""
        ...

    def save(self) -> None:
        """Write the checkpoint for a resume, and the weights."""
        ...


def fit(training: Training, steps: Iterable[Row], validate: Callable[[], Row]) -> None:
    """Iterate over `steps`, which yield their losses, until the schedule ends.

    A finished run that is resumed takes no step, so it keeps its weights.
    """
    settings, seen = training.settings, list[Row]()
    if training.clock.progress(training.step) >= 1:
        return
    for losses in steps:
        seen.append(losses)
        done = training.clock.progress(training.step) >= 1
        if training.step % settings.keep == 0 or done:
            training.save()
        if training.step % settings.report == 0 or done:
            report(training, curve.mean(seen), validate())
            seen.clear()
        if done:
            return


def report(training: Training, losses: Row, held_out: Row) -> None:
    """Append a row to the curve and print it."""
    row: Row = {
        "step": training.step,
        "seconds": round(training.clock.elapsed(), 1),
        "rate": training.rate,
        **{f"train_{name}": value for name, value in losses.items()},
        **{f"held_out_{name}": value for name, value in held_out.items()},
    }
    curve.append(training.settings.out, row)
    print(" ".join(f"{name}={value:.4g}" for name, value in row.items()), flush=True)


def save(out: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint in `out` at once."""
    temporary = (out / CHECKPOINT).with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(out / CHECKPOINT)


def load(path: Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are unpickled."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state
