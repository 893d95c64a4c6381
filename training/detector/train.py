"""The training loop."""

import csv
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.detector.loader import Batches, Scenes, loader, normalise
from training.detector.loss import Losses, distillation_losses
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.detector.schedule import Clock, average, learning_rate
from training.detector.weights import load_backbone, load_wts, save_wts


@dataclass(frozen=True)
class Settings:
    """Everything a run depends on; see `python -m training.detector train --help`."""

    teacher: Path
    backbone: Path | None
    out: Path
    steps: int
    minutes: float
    batch: int
    size: int
    rate: float
    decay: float
    warmup: int
    average: float
    features: float
    device: str
    workers: int
    seed: int
    report: int
    keep: int


class Training:
    """A student, its running average, the teacher and the optimiser."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.step = settings, 0
        self.device = torch.device(settings.device)
        self.clock = Clock(settings.steps, settings.minutes)
        self.teacher = load_wts(settings.teacher).to(self.device).requires_grad_(False)
        self.student = RetinaFace()
        if settings.backbone is not None:
            load_backbone(self.student, settings.backbone)
        self.student.to(self.device).train()
        self.averaged = deepcopy(self.student).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.student.parameters(), settings.rate, weight_decay=settings.decay
        )

    def losses(self, network: RetinaFace, images: Tensor) -> Losses:
        """Of `network` against the teacher; bf16 where there is an accelerator."""
        batch = normalise(images, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            with torch.no_grad():
                target = self.teacher(batch)
            return distillation_losses(network(batch), target)

    def advance(self, images: Tensor) -> Losses:
        """One step; returns its losses."""
        settings = self.settings
        rate = learning_rate(
            settings.rate, self.step, self.clock.progress(self.step), settings.warmup
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        losses = self.losses(self.student, images)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total(settings.features).backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 10.0)
        self.optimiser.step()
        average(self.averaged, self.student, self.step, settings.average)
        self.step += 1
        return losses

    def save(self) -> None:
        """Checkpoint and averaged weights, each replaced in one move."""
        out = self.settings.out
        state = {
            "step": self.step,
            "spent": self.clock.elapsed(),
            "student": self.student.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        torch.save(state, out / "checkpoint.tmp")
        (out / "checkpoint.tmp").replace(out / "checkpoint.pt")
        save_wts(out / "student.wts", self.averaged)

    def resume(self) -> None:
        """Go on from `out`'s checkpoint."""
        state: dict[str, Any] = torch.load(
            self.settings.out / "checkpoint.pt", map_location=self.device, weights_only=True
        )
        self.step, self.clock.spent = state["step"], state["spent"]
        self.student.load_state_dict(state["student"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])

    def validate(self, batches: list[Tensor]) -> dict[str, float]:
        """Mean losses of the averaged weights over held-out batches."""
        with torch.no_grad():
            rows = [self.losses(self.averaged, images).values() for images in batches]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def report(training: Training, losses: dict[str, float], held_out: dict[str, float]) -> None:
    """Append a row to `curve.csv` and say it."""
    row: dict[str, float] = {
        "step": training.step,
        "seconds": round(training.clock.elapsed(), 1),
        "rate": training.optimiser.param_groups[0]["lr"],
        **{f"train_{name}": value for name, value in losses.items()},
        **{f"held_out_{name}": value for name, value in held_out.items()},
    }
    path = training.settings.out / "curve.csv"
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    print(" ".join(f"{name}={value:.4g}" for name, value in row.items()), flush=True)


def fit(training: Training, pictures: Pictures) -> None:
    """Train until the clock has run out."""
    settings = training.settings
    known, unknown = pictures.split()
    held_out = list(loader(Scenes(unknown, 1), Batches(0, 4, settings.batch, settings.size), 0))
    batches = Batches(training.step, settings.steps, settings.batch, settings.size)
    seen: list[dict[str, float]] = []
    for images in loader(Scenes(known, settings.seed), batches, settings.workers):
        seen.append(training.advance(images).values())
        done = training.clock.progress(training.step) >= 1
        if training.step % settings.keep == 0 or done:
            training.save()
        if training.step % settings.report == 0 or done:
            means = {name: sum(row[name] for row in seen) / len(seen) for name in seen[0]}
            report(training, means, training.validate(held_out))
            seen.clear()
        if done:
            return
