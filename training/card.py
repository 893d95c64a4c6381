"""Update the figures in the model card of the emotion network.

`emotions build && python -m training.card --data DATA/fer2013.npz` measures the engine of the
service on the public test, replaces the text between the marks in `docs/models/emotion-fer48.md`,
and draws its pictures (`training/failures.py` and the confusion matrix).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from analysis.evaluation import accuracy
from analysis.evaluation.fer2013 import LABELS, Split, read_split
from engines import weights
from engines.types import F64
from offline.drawing.confusion import draw_confusion
from offline.evaluation import figures as figures_of
from offline.evaluation import probabilities
from service.factory import load_catalog
from service.settings import Settings
from training import failures
from training.emotion.votes import vote_distribution
from training.errors import TrainingError, reported

CARD = Path(__file__).parents[1] / "docs" / "models" / "emotion-fer48.md"
BEGIN, END = "<!-- figures: python -m training.card -->", "<!-- /figures -->"


def main() -> None:
    """Measure, write the card and draw the pictures."""
    parser = argparse.ArgumentParser(prog="python -m training.card", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="fer2013.npz")
    parser.add_argument("--card", type=Path, default=CARD)
    given, settings = parser.parse_args(), Settings()
    with reported(parser):
        _write(given, settings)


def _write(given: argparse.Namespace, settings: Settings) -> None:
    public, train = (read_split(given.data, name) for name in ("public", "train"))
    scores = probabilities(settings, public)
    figures = figures_of(scores, public.labels)
    text = "\n".join([*_table(settings, scores, public, train, figures), "", *_words(figures)])
    given.card.write_text(placed(given.card.read_text(), text, BEGIN))
    draw_confusion(figures["confusion"], failures.IMAGES / "confusion-emotion.png")
    failures.draw(settings, failures.IMAGES)


def _table(
    settings: Settings, scores: F64, public: Split, train: Split, figures: dict[str, Any]
) -> list[str]:
    file, temperature = _file(settings)
    known = {face.tobytes() for face in train.faces}
    unseen = np.array([face.tobytes() not in known for face in public.faces])
    raw = accuracy.softmax(np.log(np.maximum(scores, 1e-30)) * temperature)
    f1 = ", ".join(f"{label} {value:.2f}" for label, value in figures["f1"].items())
    rows = {
        "file": f"`{file.name}`, {file.stat().st_size / 1e6:.1f} MB, sha256 "
        f"`{weights.sha256(file)}`",
        "accuracy": f"{figures['accuracy']:.1%} of {len(public):,} images",
        "on those not pixel for pixel in the training part": f"{_right(scores, public, unseen):.1%}"
        f" of {unseen.sum():,}",
        "happy, neutral, sad only": f"{figures['accuracy_happy_neutral_sad']:.1%}",
        **_votes(scores, public),
        "F1": f1 + f"; mean {figures['f1_mean']:.2f}",
        "calibration error (15 bins)": f"{accuracy.calibration_error(raw, public.labels):.3f} "
        f"before, {figures['calibration_error']:.3f} with the temperature {temperature:g}, which "
        "was fitted on these images",
    }
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


def _file(settings: Settings) -> tuple[Path, float]:
    """Return the file of the service's weights, and the temperature folded into it."""
    spec = load_catalog(settings).get(settings.emotion, "emotion")
    file = weights.find(spec, settings.plans / "weights").path
    metadata = {each.key: each.value for each in onnx.load(file).metadata_props}
    return file, float(metadata.get("temperature", 1))


def _right(scores: F64, split: Split, chosen: NDArray[np.bool_]) -> float:
    return accuracy.accuracy(scores[chosen], split.labels[chosen])


def _votes(scores: F64, split: Split) -> dict[str, str]:
    if split.votes is None:
        return {}
    distribution = vote_distribution(split.votes)
    voted = distribution.sum(axis=1) > 0
    agreed = accuracy.accuracy(scores[voted], distribution[voted].argmax(axis=1))
    return {"against the FER+ majority": f"{agreed:.1%} of {voted.sum():,} images"}


def _words(figures: dict[str, Any]) -> list[str]:
    """Return lines of text: for each label the two most frequent wrong answers."""
    lines = ["Of the faces labelled", ""]
    for label, row in zip(LABELS, figures["confusion"], strict=True):
        shares = np.array(row) / max(sum(row), 1)
        order = [int(i) for i in np.argsort(-shares, kind="stable") if LABELS[i] != label][:2]
        wrong = " and ".join(f"{shares[i]:.0%} {LABELS[i]}" for i in order)
        own = shares[LABELS.index(label)]
        lines.append(f"- {label} ({sum(row)}), {own:.0%} are read so, {wrong};")
    lines[-1] = lines[-1][:-1] + "."
    return lines


def placed(card: str, text: str, begin: str) -> str:
    """Return the card with `text` between the marks `begin` and `END`."""
    before, _, rest = card.partition(begin)
    _, end, after = rest.partition(END)
    if not end:
        raise TrainingError(f"the card lacks the marks {begin} and {END}")
    return f"{before}{begin}\n{text}\n{END}{after}"


if __name__ == "__main__":
    main()
