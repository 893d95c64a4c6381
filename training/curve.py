"""`curve.csv`: measurements during a run, one row at a time."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = dict[str, float]


def append(folder: Path, row: Mapping[str, float]) -> None:
    """Add a row to the curve of the run in `folder`; all rows have the same columns."""
    with (folder / "curve.csv").open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if not file.tell():
            writer.writeheader()
        writer.writerow(row)


def mean(rows: Sequence[Row]) -> Row:
    """Return the mean of each column of the first row."""
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
