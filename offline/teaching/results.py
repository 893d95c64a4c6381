"""The files of a taught network, its catalog entry and its plan."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from engines import catalog_writer
from engines.catalog import Catalog, read
from engines.disk import atomic_write
from offline.drawing.confusion import draw_confusion
from offline.errors import OutputError
from offline.out_folder import check_only
from offline.plans import build_plans
from offline.teaching.card import card
from offline.teaching.faces import LeftOut
from offline.teaching.lesson import Lesson
from service.factory import own_catalogs
from service.settings import Settings

CONFUSION, LEFT_OUT = "confusion.png", "left-out.csv"


class Place(NamedTuple):
    """Where the results go: a folder, which names the network, and a catalog file."""

    folder: Path
    catalog: Path

    @classmethod
    def of(cls, out: Path, settings: Settings) -> "Place":
        """Return the place for `--out`, after checking that it replaces nothing of others.

        Raises:
            OutputError: another model has this name, or the folder has other files.
        """
        place = cls(out, own_catalogs(settings) / f"{out.resolve().name}.toml")
        if place.name in Catalog.load():
            raise OutputError(f"{place.name} is a model of the service; choose another --out")
        if place.catalog.exists() and not place.owns(place.catalog):
            raise OutputError(
                f"there is another model {place.name} ({place.catalog}); choose another --out, or "
                "delete that file"
            )
        check_only(out, (place.network.name, place.card.name, CONFUSION, LEFT_OUT))
        return place

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.catalog.stem

    @property
    def network(self) -> Path:
        """The ONNX file."""
        return self.folder / f"{self.name}.onnx"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.folder / f"{self.name}.md"

    def owns(self, catalog: Path) -> bool:
        """Whether an entry was written for this folder."""
        return [str(self.network.resolve())] == [spec.weights for spec in read(catalog)]


def write(lesson: Lesson, place: Place, settings: Settings, console: Console) -> None:
    """Write the files, then the catalog entry, and build the plan.

    Raises:
        EngineError: the plan cannot be built.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(place.network) as temporary:
        temporary.write_bytes(lesson.model.SerializeToString(deterministic=True))
    draw_confusion(lesson.figures.confusion, place.folder / CONFUSION, lesson.faces.labels)
    place.card.write_text(card(place.name, lesson), "utf-8")
    _write_left_out(lesson.faces.left_out, place.folder / LEFT_OUT)
    place.catalog.parent.mkdir(parents=True, exist_ok=True)
    labels = lesson.faces.labels
    description = f"{lesson.base}, taught {len(labels)} classes"
    entry = catalog_writer.emotion(place.network, labels, description, licence=lesson.licence)
    with atomic_write(place.catalog) as temporary:
        temporary.write_text(entry + "\n", "utf-8")
    build_plans([place.name], settings, console)


def _write_left_out(pictures: Sequence[LeftOut], out: Path) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "reason"])
        rows.writerows(sorted(pictures))
