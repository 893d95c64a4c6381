"""The reliability diagram of the quality."""

from pathlib import Path

import numpy as np

from bench.measure.output import picture
from training.quality.figures import BINS, bins
from training.quality.report import Judged


def draw(judged: Judged, path: Path) -> None:
    """Draw the share of right emotions over the quality, and how many faces there are."""
    filled = [each for each in bins(judged.chances, judged.right) if each.faces]
    size = {"figsize": (5, 6), "height_ratios": (3, 1), "sharex": True}
    with picture(path, 2, 1, **size) as (_, (upper, lower)):
        upper.plot([0, 1], [0, 1], color="0.7", label="perfect")
        predicted, right, count = ([each[i] for each in filled] for i in (1, 2, 0))
        # The spread of a share of so many faces, by the normal approximation.
        spread = np.sqrt(np.array(right) * (1 - np.array(right)) / np.array(count))
        upper.errorbar(predicted, right, spread, marker="o", capsize=3, label="held-out people")
        upper.set(ylabel="share with the emotion of the clear view", ylim=(0, 1))
        upper.legend(loc="upper left")
        lower.hist(judged.chances, bins=BINS, range=(0, 1), log=True, color="0.6", rwidth=0.9)
        lower.set(xlabel="quality", ylabel="faces", xlim=(0, 1))
