"""A student with averaged weights: its optimiser, one step, its checkpoint."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from training import loop
from training.average import average
from training.schedule import Clock, learning_rate

LEAST_RATE = 1e-3  # share of the peak rate at the end
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Settings(loop.Settings):
    """Options of every such run."""

    decay: float
    average: float


class Descent(Generic[Network]):
    """Owns `student`, which is trained, and `averaged`, the result of the run."""

    def __init__(self, student: Network, settings: Settings) -> None:
        self.step, self.rate = 0, 0.0
        self.device = torch.device(settings.device)
        self.clock = Clock(settings.steps, settings.minutes)
        self._run = settings
        self.student = student.to(self.device).train()
        self.averaged = deepcopy(self.student).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.student.parameters(), settings.rate, weight_decay=settings.decay
        )

    def descend(self, loss: Tensor) -> None:
        """Take one step along the gradient of `loss`, at the rate of the schedule."""
        progress, run = self.clock.progress(self.step), self._run
        self.rate = learning_rate(run.rate, self.step, progress, run.warmup, LEAST_RATE)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 10.0)
        self.optimiser.step()
        average(self.averaged, self.student, self.step, run.average)
        self.step += 1

    def save(self) -> None:
        """Write the checkpoint."""
        state: dict[str, Any] = {
            "step": self.step,
            "spent": self.clock.elapsed(),
            "student": self.student.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        loop.save(self._run.out, state)

    def resume(self) -> None:
        """Restore the checkpoint of `out`."""
        state = loop.load(self._run.out / loop.CHECKPOINT, self.device)
        self.step, self.clock.spent = state["step"], state["spent"]
        self.student.load_state_dict(state["student"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
