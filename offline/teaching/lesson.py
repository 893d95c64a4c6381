"""A taught network with what it was taught with, and its figures."""

from typing import NamedTuple

import onnx

from engines.types import Array
from offline.teaching.faces import Faces
from offline.teaching.people import people_per_class
from offline.teaching.validation import Figures

# With fewer people, a network may learn to recognise the people of a class.
FEW_PEOPLE = 5


class Lesson(NamedTuple):
    """A taught network.

    - `base`: the network that it was made from; `licence`: of the weights of `base`.
    - `finetuned`: whether layers before the last one were trained, too.
    - `people`: int64 (N,), the number of the person per face, or None without an embedder.
    - `by_person`: whether no person was in both parts of the cross-validation.
    """

    model: onnx.ModelProto
    base: str
    licence: str
    finetuned: bool
    faces: Faces
    people: Array | None
    by_person: bool
    figures: Figures

    @property
    def people_per_class(self) -> list[int] | None:
        """How many people each class shows, or None if people are unknown."""
        if self.people is None:
            return None
        return people_per_class(self.people, self.faces.targets, len(self.faces.labels))

    def warnings(self) -> list[str]:
        """Return sentences on what makes the figures doubtful."""
        counts = self.people_per_class
        if counts is None:
            return [
                "There is no embedder, so one person may be in the training and in the test part: "
                "the accuracy may be too high."
            ]
        alone = "The photographs cannot be split by person: the accuracy holds for these people."
        return ([] if self.by_person else [alone]) + [
            f"The class {label} shows {count} {'person' if count == 1 else 'people'}: the network "
            "may have learned to recognise them."
            for label, count in zip(self.faces.labels, counts, strict=True)
            if count < FEW_PEOPLE
        ]
