"""What the students that PyTorch trains share: settings, the rhythm of a run, its checkpoint."""

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
    """What every run depends on; `training.command.add_run` says what each field is."""

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
    """A student under way."""

    step: int
    clock: Clock
    optimiser: Any

    @property
    def settings(self) -> Settings:
        """What it depends on."""
        ...

    def save(self) -> None:
        """Write what `resume` goes on from, and the weights."""
        ...


def fit(training: Training, steps: Iterable[Row], validate: Callable[[], Row]) -> None:
    """Take `steps`, which give their losses, until the clock has run out."""
    settings, seen = training.settings, list[Row]()
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
    """Append a row to the curve and say it."""
    row: Row = {
        "step": training.step,
        "seconds": round(training.clock.elapsed(), 1),
        "rate": training.optimiser.param_groups[0]["lr"],
        **{f"train_{name}": value for name, value in losses.items()},
        **{f"held_out_{name}": value for name, value in held_out.items()},
    }
    curve.append(training.settings.out, row)
    print(" ".join(f"{name}={value:.4g}" for name, value in row.items()), flush=True)


def save(out: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint in `out` in one move."""
    staged = (out / CHECKPOINT).with_suffix(".tmp")
    torch.save(state, staged)
    staged.replace(out / CHECKPOINT)


def load(path: Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """Read a checkpoint; nothing but tensors and plain values is taken from it."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state
