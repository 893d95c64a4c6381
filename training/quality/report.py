"""The figures of the quality as lines of Markdown."""

from collections.abc import Iterable, Sequence

import numpy as np

from analysis.quality import Model
from engines.types import F64
from training.quality import figures
from training.quality.examples import Example
from training.quality.figures import Right
from training.quality.views import KINDS

CLOSE = 0.05
BOUNDS = (0.0, 0.3, 0.5, 0.7, 0.9)


class Judged:
    """Examples with their quality: `chances` (N,) and `right` (N,) of the faces found."""

    def __init__(self, model: Model, examples: Iterable[Example]) -> None:
        self.examples = list(examples)
        self.found = [each for each in self.examples if each.values is not None]
        values = (each.values for each in self.found if each.values is not None)
        self._model = model
        self.chances: F64 = np.array([model.quality(each) for each in values])
        self.right: Right = np.array([each.right for each in self.found], bool)

    @property
    def tops(self) -> F64:
        """The highest score of each face, (N,)."""
        scores = (each.scores for each in self.found if each.scores is not None)
        return np.array([each.max() for each in scores], np.float64)

    def of(self, kind: str, step: float | None = None) -> "Judged":
        """Return the examples of a kind and a step."""
        chosen = (e for e in self.examples if (e.kind, e.step) == (kind, step))
        return Judged(self._model, chosen)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = ["| " + " | ".join(line) + " |" for line in (head, *rows)]
    return [line.replace("|  ", "| ") for line in (lines[0], "|---" * len(head) + "|", *lines[1:])]


def summary(people: int, judged: Judged) -> list[str]:
    """Return the figures over all views."""
    chances, right, tops = judged.chances, judged.right, judged.tops
    share = right.mean()
    return table(
        ["", ""],
        [
            ["photographs, views", f"{people:,}, {len(judged.examples):,}"],
            ["faces found", f"{len(right) / len(judged.examples):.1%}"],
            ["emotions as in the clear view", f"{share:.1%}"],
            ["area under the ROC curve", f"{figures.auc(chances, right):.3f}"],
            ["… of the highest score alone", f"{figures.auc(tops, right):.3f}"],
            ["Brier score", f"{figures.brier(chances, right):.4f}"],
            ["… of the highest score alone", f"{figures.brier(tops, right):.4f}"],
            ["… of the same quality for all", f"{share * (1 - share):.4f}"],
            ["calibration error (10 bins)", f"{figures.calibration_error(chances, right):.3f}"],
            [
                f"faces whose quality is within {CLOSE} of their highest score",
                f"{(np.abs(chances - tops) < CLOSE).mean():.0%}",
            ],
        ],
    )


def reliability(judged: Judged) -> list[str]:
    """Return the bins of the reliability diagram."""
    rows = [
        [f"{index / figures.BINS:.1f} to {(index + 1) / figures.BINS:.1f}", *_bin(each)]
        for index, each in enumerate(figures.bins(judged.chances, judged.right))
    ]
    return table(["quality", "faces", "mean quality", "right"], rows)


def _bin(found: figures.Bin) -> list[str]:
    if not found.faces:
        return ["0", "", ""]
    return [f"{found.faces:,}", f"{found.predicted:.2f}", f"{found.right:.2f}"]


def bounds(judged: Judged) -> list[str]:
    """Return what `min_quality` keeps."""
    rows = []
    for bound in BOUNDS:
        kept = judged.chances >= bound
        rows.append(
            [
                f"{bound:g}",
                f"{kept.mean():.1%}",
                _share(judged.right[kept]),
                _share(kept[judged.right]),
                _share(~kept[~judged.right]),
            ]
        )
    head = ["`min_quality`", "faces kept", "right of these"]
    return table([*head, "right ones kept", "wrong ones dropped"], rows)


def kinds(judged: Judged) -> list[str]:
    """Return the figures by kind of view."""
    rows = []
    for kind in dict.fromkeys(each.kind for each in judged.examples):
        part = judged.of(kind)
        if not len(part.right):
            continue
        rows.append(
            [
                kind,
                f"{len(part.examples):,}",
                f"{len(part.right) / len(part.examples):.0%}",
                _share(part.right),
                f"{part.chances.mean():.2f}",
                f"{figures.auc(part.chances, part.right):.2f}",
                f"{figures.brier(part.chances, part.right):.3f}",
                f"{figures.calibration_error(part.chances, part.right):.3f}",
            ]
        )
    head = ["view", "views", "found", "right", "mean quality"]
    return table([*head, "area under ROC", "Brier", "calibration error"], rows)


def ladder(judged: Judged) -> list[str]:
    """Return found, right and mean quality by kind and strength."""
    rows = []
    for name, kind in KINDS.items():
        for step in kind.steps:
            part = judged.of(name, step)
            found, count = len(part.right), len(part.examples)
            mean = f"{part.chances.mean():.2f}" if found else ""
            shares = [f"{found / count:.0%}", _share(part.right), mean]
            rows.append([name, f"{step:g} {kind.unit}", *shares])
    people = len(judged.examples) // len(rows)
    head = ["view", "strength", f"found of {people}", "right of these", "mean quality"]
    return table(head, rows)


def _share(values: Right) -> str:
    return f"{values.mean():.1%}" if len(values) else ""
