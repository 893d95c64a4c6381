"""Views of people as the service reads them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from analysis.quality import measures
from engines.types import F32, U8
from training.quality.people import Person
from training.quality.reader import Reader
from training.quality.views import KINDS, ROUND, random_view


class Example(NamedTuple):
    """A view of a kind: the measures of its face and whether its emotion is right.

    The measures are those of `analysis.quality`; None if the face was not found. step: the
    strength of the change, None if it was random; scores: (7,).
    """

    kind: str
    step: float | None
    values: dict[str, float] | None = None
    right: bool = False
    scores: F32 | None = None


def random_examples(people: Iterable[Person], reader: Reader, views: int) -> list[Example]:
    """Read `views` random views of each person; their kinds take turns."""
    return [
        _example(reader, person, random_view(person.photo, kind, rng), kind)
        for index, person in enumerate(people)
        for kind, rng in _draws(index, views)
    ]


def _draws(index: int, views: int) -> Iterator[tuple[str, np.random.Generator]]:
    for each in range(index * views, (index + 1) * views):
        yield ROUND[each % len(ROUND)], np.random.default_rng(each)


def steps(people: Iterable[Person], reader: Reader) -> list[Example]:
    """Read each person with every step of every kind."""
    return [
        _example(
            reader, person, kind.change(person.photo, step, np.random.default_rng(0)), name, step
        )
        for person in people
        for name, kind in KINDS.items()
        for step in kind.steps
    ]


def _example(
    reader: Reader, person: Person, view: U8, kind: str, step: float | None = None
) -> Example:
    reading = reader.read(view)
    if reading is None:
        return Example(kind, step)
    (values,) = measures(reading.face, [reading.crop], reading.scores[None])
    right = bool(reading.scores.argmax() == person.label)
    return Example(kind, step, values, right, reading.scores)
