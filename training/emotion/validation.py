"""What an epoch gave on the public part, said and written to the run's curve."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from analysis.evaluation.accuracy import accuracy, negative_log_likelihood, softmax
from analysis.evaluation.fer2013 import Split
from training import curve
from training.schedule import Clock


class Progress(Protocol):
    """A run of either loop."""

    number: int
    clock: Clock
    public: Split
    out: Path

    @property
    def share(self) -> float:
        """The share of the run that is done, 0 to 1."""
        ...


def validate(run: Progress, side: int, loss: float, logits: npt.NDArray[np.float32]) -> float:
    """Add a row for the averaged weights' logits (N, 7) to the curve; return their accuracy."""
    probabilities = softmax(logits)
    score = accuracy(probabilities, run.public.labels)
    row = {
        "epoch": run.number,
        "seconds": round(run.clock.elapsed()),
        "share": round(run.share, 4),
        "side": side,
        "loss": round(loss, 4),
        "accuracy": round(score, 4),
        "nll": round(negative_log_likelihood(probabilities, run.public.labels), 4),
    }
    print(row, flush=True)
    curve.append(run.out, row)
    return score
