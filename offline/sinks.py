"""Where the results of images go: JSON lines, or a folder with pictures and tables."""

from collections.abc import Container
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Protocol

from analysis.document import ImageResult
from engines.types import U8
from offline.drawing.annotate import annotate
from offline.files import IMAGE_SUFFIXES
from offline.names import output_path
from offline.tables.folder import FolderTables

PICTURES = "pictures"
# Options of JPEG, PNG and WebP, in this order; an encoder ignores those of the others.
ENCODING: dict[str, Any] = {"quality": 90, "compress_level": 1, "method": 1}


class Sink(Protocol):
    """Takes results. `done` holds the names of images that need no analysis."""

    done: Container[str]

    def write_picture(self, image: U8, result: ImageResult) -> None:
        """Write an annotated picture. Called from any thread, in any order."""

    def write_result(self, result: ImageResult) -> None:
        """Write a result. Called in the order of the images, after `write_picture`."""


class JsonLines:
    """Writes each result as a line of JSON."""

    done: Container[str] = ()

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write_picture(self, image: U8, result: ImageResult) -> None:
        """Write nothing: lines hold no pictures."""

    def write_result(self, result: ImageResult) -> None:
        """Write a line and flush it."""
        self._out.write(result.model_dump_json().encode() + b"\n")
        self._out.flush()


class ResultsFolder:
    """Writes annotated pictures below `folder / "pictures"`, and rows to `tables`."""

    def __init__(self, folder: Path, tables: FolderTables) -> None:
        self._pictures, self._tables = folder / PICTURES, tables
        self.done: Container[str] = tables.done

    def write_picture(self, image: U8, result: ImageResult) -> None:
        """Write the annotated picture in the format of the original, or as JPEG.

        A killed run may leave a truncated picture. Its image has no row yet, so the next run
        analyzes the image again and replaces the picture.

        Raises:
            OutputError: see `output_path`.
        """
        known = PurePath(result.id).suffix.lower() in IMAGE_SUFFIXES
        path = output_path(self._pictures, result.id if known else result.id + ".jpg")
        save = partial(annotate(image, result.faces).save, path, **ENCODING)
        try:
            save()
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            save()

    def write_result(self, result: ImageResult) -> None:
        """Write the rows."""
        self._tables.add(result)
