"""Emotion networks that a command makes, and their catalog entries."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engines import weights
from engines.catalog import Catalog, read
from engines.disk import atomic_write
from offline.errors import OutputError
from service.factory import own_catalogs
from service.settings import Settings

ENTRY = """[[model]]
name = {name}
task = "emotion"
network = "onnx"
version = "1"
description = {description}
licence = {licence}
weights = {weights}
sha256 = "{sha256}"
batches = [1, 8, 32, 128, 512]
labels = {labels}
"""


class OwnModel(NamedTuple):
    """An emotion network: its ONNX file, and the catalog in `EMOTIONS_PLANS` that names it."""

    network: Path
    catalog: Path

    @classmethod
    def of(cls, network: Path, settings: Settings) -> "OwnModel":
        """Return the model in `network`, after checking that it replaces no other model.

        Raises:
            OutputError: another model has this name, or commands would take it for an option.
        """
        model = cls(network.resolve(), own_catalogs(settings) / f"{network.stem}.toml")
        if model.name.startswith("-"):
            raise OutputError(f"the name {model.name} begins with a hyphen; choose another --out")
        given = [settings.catalog] if settings.catalog else []
        if model.name in Catalog.load(*given):
            raise OutputError(f"there is a model {model.name} already; choose another --out")
        if model.catalog.exists() and not model._owns_catalog():
            raise OutputError(
                f"there is another model {model.name} ({model.catalog}); choose another --out, or "
                "delete that file"
            )
        return model

    @property
    def name(self) -> str:
        """Name of the network in the catalog."""
        return self.network.stem

    def add(self, labels: Sequence[str], description: str, licence: str) -> None:
        """Write the catalog; `labels` are the classes in the order of the scores."""
        self.catalog.parent.mkdir(parents=True, exist_ok=True)
        entry = ENTRY.format(
            name=_text(self.name),
            description=_text(description),
            licence=_text(licence),
            weights=_text(str(self.network)),
            sha256=weights.sha256(self.network),
            labels=f"[{', '.join(map(_text, labels))}]",
        )
        with atomic_write(self.catalog) as temporary:
            temporary.write_text(entry, "utf-8")

    def _owns_catalog(self) -> bool:
        return [spec.weights for spec in read(self.catalog)] == [str(self.network)]


def _text(value: str) -> str:
    """A TOML basic string; TOML has all of JSON's short escapes."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
