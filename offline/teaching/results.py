"""The files of a taught network, and its catalog entry."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engines.disk import atomic_write
from offline.drawing.confusion import draw_confusion
from offline.out_folder import check_only
from offline.own_model import OwnModel
from offline.teaching.card import card
from offline.teaching.faces import LeftOut
from offline.teaching.lesson import Lesson
from service.settings import Settings

CONFUSION, LEFT_OUT = "confusion.png", "left-out.csv"


class Place(NamedTuple):
    """Where the results go: a folder, which names the network."""

    folder: Path
    model: OwnModel

    @classmethod
    def of(cls, out: Path, settings: Settings) -> "Place":
        """Return the place for `--out`, after checking that it replaces nothing of others.

        Raises:
            OutputError: another model has this name, or the folder has other files.
        """
        place = cls(out, OwnModel.of(out / f"{out.resolve().name}.onnx", settings))
        check_only(out, (place.model.network.name, place.card.name, CONFUSION, LEFT_OUT))
        return place

    @property
    def card(self) -> Path:
        """The model card."""
        return self.folder / f"{self.model.name}.md"


def write(lesson: Lesson, place: Place) -> None:
    """Write the files, then the catalog entry."""
    place.folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(place.model.network) as temporary:
        temporary.write_bytes(lesson.model.SerializeToString(deterministic=True))
    draw_confusion(lesson.figures.confusion, place.folder / CONFUSION, lesson.faces.labels)
    place.card.write_text(card(place.model.name, lesson), "utf-8")
    _write_left_out(lesson.faces.left_out, place.folder / LEFT_OUT)
    labels = lesson.faces.labels
    place.model.add(labels, f"{lesson.base}, taught {len(labels)} classes", lesson.licence)


def _write_left_out(pictures: Sequence[LeftOut], out: Path) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "reason"])
        rows.writerows(sorted(pictures))
