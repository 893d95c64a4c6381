"""The options of `emotions predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from offline.tables.convert import TableFormat


class PredictRun(NamedTuple):
    """Options of `emotions predict`; without `out` the results go to standard output."""

    paths: Sequence[Path]
    out: Path | None = None
    table_format: TableFormat = "csv"
    resume: bool = False
    embeddings: bool = False
    url: str | None = None
    fps: float | None = None
    identities: bool = True
