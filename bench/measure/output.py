"""Markdown tables, pictures, and the line that states when and where a benchmark ran."""

import datetime
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engines import cpu

OURS_COLOUR, OTHERS_COLOUR = "#c2410c", "#94a3b8"


def header(names: str) -> str:
    """The first two lines of a table; `names` are separated as in Markdown: "a | b"."""
    return f"| {names} |\n{'|---' * (names.count(' | ') + 1)}|"


def row(*cells: object) -> str:
    """One line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def machine() -> str:
    """Today's date, the name of the CPU, and the number of cores that may be used."""
    return f"{datetime.date.today()}, {cpu_name()}, {cpu.available()} core(s)"


def cpu_name() -> str:
    """The name of the CPU, or its architecture if the system does not report a name."""
    info = Path("/proc/cpuinfo")  # only on Linux
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@contextmanager
def picture(path: Path, *grid: int, **options: Any) -> Iterator[tuple[Any, Any]]:
    """Give a figure with its axes (see `pyplot.subplots`), and write it when the block ends."""
    import matplotlib as mpl  # noqa: PLC0415  (slow to import)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  (slow to import)

    figure, axes = plt.subplots(*grid, dpi=120, layout="constrained", **options)
    yield figure, axes
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
