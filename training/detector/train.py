"""The training loop."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training import curve, loop
from training.average import average
from training.curve import Row
from training.detector.loader import Batches, Scenes, loader, normalise
from training.detector.loss import Losses, distillation_losses
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.detector.weights import load_backbone, load_wts, save_wts
from training.schedule import Clock, learning_rate

LEAST_RATE = 1e-3  # of the peak, at the end


@dataclass(frozen=True)
class Settings(loop.Settings):
    """Everything a run depends on; see `python -m training.detector train --help`."""

    teacher: Path
    backbone: Path | None
    size: int
    decay: float
    average: float
    features: float


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
        progress = self.clock.progress(self.step)
        rate = learning_rate(settings.rate, self.step, progress, settings.warmup, LEAST_RATE)
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
        """Checkpoint and averaged weights."""
        state = {
            "step": self.step,
            "spent": self.clock.elapsed(),
            "student": self.student.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        loop.save(self.settings.out, state)
        save_wts(self.settings.out / "student.wts", self.averaged)

    def resume(self) -> None:
        """Go on from `out`'s checkpoint."""
        state = loop.load(self.settings.out / loop.CHECKPOINT, self.device)
        self.step, self.clock.spent = state["step"], state["spent"]
        self.student.load_state_dict(state["student"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])

    def validate(self, batches: list[Tensor]) -> Row:
        """Mean losses of the averaged weights over held-out batches."""
        with torch.no_grad():
            return curve.mean([self.losses(self.averaged, images).values() for images in batches])


def fit(training: Training, pictures: Pictures) -> None:
    """Train until the clock has run out."""
    settings = training.settings
    known, unknown = pictures.split()
    held_out = list(loader(Scenes(unknown, 1), Batches(0, 4, settings.batch, settings.size), 0))
    batches = Batches(training.step, settings.steps, settings.batch, settings.size)
    scenes = loader(Scenes(known, settings.seed), batches, settings.workers)
    steps = (training.advance(images).values() for images in scenes)
    loop.fit(training, steps, lambda: training.validate(held_out))
