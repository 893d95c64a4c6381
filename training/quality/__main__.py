"""`python -m training.quality fit|evaluate`, after `emotions build`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from analysis.quality import FILE, MEASURES, load
from service.settings import Settings
from training.card import placed
from training.errors import reported
from training.failures import IMAGES
from training.quality import diagram, people, report
from training.quality.examples import random_examples, steps
from training.quality.figures import auc, brier
from training.quality.fit import fitted, write
from training.quality.reader import Reader, reading
from training.quality.report import Judged

CARD = Path(__file__).parents[2] / "docs" / "models" / "face-quality.md"
T = TypeVar("T")
BEGIN = "<!-- figures: python -m training.quality evaluate -->"


def add_fit(parser: ArgumentParser) -> None:
    """Add the flags of `fit`."""
    parser.set_defaults(run=run_fit)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of faces_unlabelled.zip")
    add("--photographs", type=int, default=600, help="how many to try, evenly spaced")
    add("--views", type=int, default=8, help="random views of each clear photograph")
    add("--measures", nargs="+", choices=MEASURES, default=MEASURES)
    add("--out", type=Path, default=FILE)


def run_fit(arguments: Namespace) -> None:
    """Fit, and write the numbers."""
    names, _ = people.names(arguments.data)
    with reading(Settings()) as reader:
        persons = _clear(arguments, names, reader)
        examples = random_examples(persons, reader, arguments.views)
    rows = [each.values for each in examples if each.values is not None]
    right = np.array([each.right for each in examples if each.values is not None])
    model = fitted(rows, right, arguments.measures)
    write(model, arguments.out)
    judged = Judged(model, examples)
    chances = judged.chances
    print(f"{len(right):,} faces found in {len(examples):,} views; {right.mean():.1%} right")
    print(f"area under ROC {auc(chances, right):.3f}, Brier score {brier(chances, right):.4f}")
    print(f"wrote {arguments.out}")


def add_evaluate(parser: ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    parser.set_defaults(run=run_evaluate)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of faces_unlabelled.zip")
    add("--photographs", type=int, default=10_000, help="how many to try, evenly spaced")
    add("--views", type=int, default=16, help="random views of each clear photograph")
    add("--stepped", type=int, default=60, help="photographs of the table of strengths")
    add("--model", type=Path, default=FILE)
    add("--card", type=Path, default=CARD)
    add("--picture", type=Path, default=IMAGES / "reliability-quality.png")


def run_evaluate(arguments: Namespace) -> None:
    """Evaluate on other people; write the figures into the card, and draw the diagram."""
    _, names = people.names(arguments.data)
    model = load(arguments.model)
    with reading(Settings()) as reader:
        persons = _clear(arguments, names, reader)
        judged = Judged(model, random_examples(persons, reader, arguments.views))
        stepped = Judged(model, steps(_spaced(persons, arguments.stepped), reader))
    parts = (
        report.summary(len(persons), judged),
        report.reliability(judged),
        report.bounds(judged),
        report.kinds(judged),
        report.ladder(stepped),
    )
    text = "\n\n".join("\n".join(part) for part in parts)
    arguments.card.write_text(placed(arguments.card.read_text(), text, BEGIN))
    diagram.draw(judged, arguments.picture)
    print(text)


def _clear(arguments: Namespace, names: Sequence[str], reader: Reader) -> list[people.Person]:
    """Return the people of the clear photographs among those to try."""
    chosen = _spaced(names, arguments.photographs)
    found = list(people.clear(arguments.data, chosen, reader))
    print(f"{len(found):,} of {len(chosen):,} photographs are clear frontal views", flush=True)
    return found


def _spaced(values: Sequence[T], count: int) -> Sequence[T]:
    """Return `count` of the values, evenly spaced; or all, if there are fewer."""
    places = np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int)
    return [values[place] for place in places]


def main() -> None:
    """Parse the command line and run the command."""
    cv2.setNumThreads(1)
    parser = ArgumentParser(prog="python -m training.quality")
    commands = parser.add_subparsers(required=True)
    add_fit(commands.add_parser("fit"))
    add_evaluate(commands.add_parser("evaluate"))
    arguments = parser.parse_args()
    with reported(parser):
        arguments.run(arguments)


if __name__ == "__main__":
    main()
