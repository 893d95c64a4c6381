"""A CSV file that a killed run leaves readable, and that the next run continues."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from engines.disk import atomic_write
from offline.errors import OutputError
from offline.tables.rows import Row


class CsvAppender:
    """Appends rows to an open CSV file and flushes after each."""

    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self._file = file
        self._writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")

    def write(self, row: Row) -> None:
        """Append a row; a column without a value stays empty."""
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def reopen(path: Path, columns: Sequence[str], keep: Callable[[Row], bool]) -> CsvAppender:
    """Rewrite the table with the rows for which `keep` is true, and open it to append more."""
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in read_rows(path, columns) if keep(row))
    return CsvAppender(path.open("a", newline="", encoding="utf-8"), columns)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the complete rows of a table, if it exists; a killed run may have cut its last row.

    Raises:
        OutputError: the table has other columns.
    """
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(line for line in file if line.endswith("\n"))
        header = next(reader, list(columns))
        if header != list(columns):
            raise OutputError(
                f"{path} has other columns: another version or other options wrote it; choose "
                "another --out"
            )
        yield from (dict(zip(columns, values, strict=True)) for values in reader)
