"""Writes catalog entries for models that were exported here, as TOML."""

import json
from collections.abc import Sequence
from pathlib import Path

from engines import weights
from engines.catalog import read
from engines.disk import atomic_write
from engines.errors import CatalogError

TEMPLATE = """[[model]]
name = {name}
task = "emotion"
network = "onnx"
version = "1"
description = {description}
licence = {licence}
weights = {weights}
sha256 = "{sha256}"
batches = [1, 8, 32, 128, 512]
labels = {labels}"""


BROUGHT = "that of the model you brought"


def emotion(
    file: Path,
    labels: Sequence[str],
    description: str,
    catalog: Path | None = None,
    licence: str = BROUGHT,
) -> str:
    """Return an entry for the emotion network in `file`, named after the file.

    The path in it is relative to the folder of `catalog` if `file` lies in that folder or below,
    else absolute.
    """
    path, folder = file.resolve(), catalog and catalog.resolve().parent
    inside = folder is not None and path.is_relative_to(folder)
    return TEMPLATE.format(
        name=_text(file.stem),
        description=_text(description),
        licence=_text(licence),
        weights=_text(str(path.relative_to(folder) if folder and inside else path)),
        sha256=weights.sha256(path),
        labels=f"[{', '.join(_text(label) for label in labels)}]",
    )


def check_free(catalog: Path, name: str) -> None:
    """Check that an entry `name` can be appended to `catalog`, which need not exist.

    Raises:
        CatalogError: it has that entry already, or is not a valid catalog.
    """
    if catalog.exists() and name in (spec.name for spec in read(catalog)):
        raise CatalogError(
            f"{catalog} has an entry {name} already; take it out, or give --out another name"
        )


def append(catalog: Path, entry: str) -> None:
    """Add an entry to a catalog file; a result that is not valid is not written.

    Raises:
        CatalogError: the file with the entry is not a valid catalog.
    """
    before = catalog.read_text("utf-8").rstrip() + "\n\n" if catalog.exists() else ""
    with atomic_write(catalog) as temporary:
        temporary.write_text(before + entry + "\n", "utf-8")
        read(temporary)


def _text(value: str) -> str:
    """A TOML basic string; TOML has all of JSON's short escapes."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
