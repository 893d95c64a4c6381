"""Where the results of images go: JSON lines, or a folder with pictures and tables."""

import math
import os
from collections.abc import Container
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Protocol

from analysis.document import ImageResult
from engines.types import U8
from offline.drawing.annotate import annotate
from offline.names import ResultPaths, ignores_case, with_hash
from offline.tables.folder import IMAGES, FolderTables

PICTURES = "pictures"
# The formats of annotated pictures by suffix, and the largest side that they can hold, in pixels.
MAX_SIDE = {".jpg": 65500, ".webp": 16383, ".png": math.inf, ".bmp": math.inf}
MAX_SIDE |= dict.fromkeys((".jpeg", ".jpe", ".jfif"), MAX_SIDE[".jpg"])
# Options of JPEG, PNG and WebP, in this order; an encoder ignores those of the others.
ENCODING: dict[str, Any] = {"quality": 90, "compress_level": 1, "method": 1}


class Sink(Protocol):
    """Takes results. `done` holds the names of images that need no analysis."""

    done: Container[str]

    def write_picture(self, image: U8, result: ImageResult, original: Path) -> None:
        """Write an annotated picture of an image file. Called from any thread, in any order."""

    def write_result(self, result: ImageResult) -> None:
        """Write a result. Called in the order of the images, after `write_picture`."""


class JsonLines:
    """Writes each result as a line of JSON."""

    done: Container[str] = ()

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write_picture(self, image: U8, result: ImageResult, original: Path) -> None:
        """Write nothing: lines hold no pictures."""

    def write_result(self, result: ImageResult) -> None:
        """Write a line and flush it."""
        self._out.write(result.model_dump_json().encode() + b"\n")
        self._out.flush()


class ResultsFolder:
    """Writes annotated pictures below `folder / "pictures"`, and rows to `tables`."""

    def __init__(self, folder: Path, tables: FolderTables) -> None:
        self._tables = tables
        self._paths = ResultPaths(
            folder / PICTURES,
            map(picture_name, tables.done),
            fold=ignores_case(folder / IMAGES),
        )
        self.done: Container[str] = tables.done

    def write_picture(self, image: U8, result: ImageResult, original: Path) -> None:
        """Write the annotated picture; see `picture_name`.

        A killed run may leave a truncated picture. Its image has no row yet, so the next run
        analyzes the image again and replaces the picture.

        Raises:
            OutputError: see `output_path`.
        """
        picture = annotate(image, result.faces, result.width)
        name = picture_name(result.id, max(picture.size))
        if name != result.id and os.path.lexists(original.with_name(PurePath(name).name)):
            name = with_hash(name)  # another original has that name
        path = self._paths.path(name)
        save = partial(picture.save, path, **ENCODING)
        try:
            save()
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            save()

    def write_result(self, result: ImageResult) -> None:
        """Write the rows."""
        self._tables.add(result)


def picture_name(name: str, side: int = 0) -> str:
    """Return the name of the annotated picture of an image, whose longer side has `side` pixels.

    It has the name of its image and the format of that name. Other formats become JPEG, or PNG
    where a JPEG cannot hold them, with the suffix added.
    """
    if side <= MAX_SIDE.get(PurePath(name).suffix.lower(), -1):
        return name
    return name + (".jpg" if side <= MAX_SIDE[".jpg"] else ".png")
