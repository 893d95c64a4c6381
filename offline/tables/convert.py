"""CSV tables as Parquet or JSON lines, a few rows in memory at a time."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from engines.disk import atomic_write
from offline.extras import import_pyarrow
from offline.tables.rows import INTEGER_COLUMNS, TEXT_COLUMNS

TableFormat = Literal["csv", "parquet", "jsonl"]


def check_format(table_format: TableFormat) -> None:
    """Raise the error before the run that `convert` would raise after it.

    Raises:
        MissingExtraError: Parquet is requested and pyarrow is not installed.
    """
    if table_format == "parquet":
        import_pyarrow()


def convert(folder: Path, table_format: TableFormat, names: Sequence[str]) -> None:
    """Write the CSV tables `names` of a folder in another format beside them.

    Raises:
        MissingExtraError: see `check_format`.
    """
    if table_format == "csv":
        return
    write = _write_lines if table_format == "jsonl" else _write_parquet
    for path in (folder / name for name in names):
        with atomic_write(path.with_suffix(f".{table_format}")) as temporary:
            write(path, temporary)


def _write_lines(path: Path, out: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file, out.open("w", encoding="utf-8") as lines:
        for row in csv.DictReader(file):
            values = {name: _value(name, text) for name, text in row.items()}
            lines.write(json.dumps(values, ensure_ascii=False) + "\n")


def _value(name: str, text: str) -> str | int | float | None:
    if not text:
        return None
    if name in TEXT_COLUMNS:
        return text
    return int(text) if name in INTEGER_COLUMNS else float(text)


def _write_parquet(path: Path, out: Path) -> None:
    arrow, arrow_csv, parquet = import_pyarrow()
    with path.open(newline="", encoding="utf-8") as file:
        columns = next(csv.reader(file))
    types = {name: _arrow_type(name, arrow) for name in columns}
    options = arrow_csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    with (
        arrow_csv.open_csv(path, convert_options=options) as batches,
        parquet.ParquetWriter(out, batches.schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)


def _arrow_type(name: str, arrow: Any) -> Any:
    if name in TEXT_COLUMNS:
        return arrow.string()
    return arrow.int32() if name in INTEGER_COLUMNS else arrow.float64()
