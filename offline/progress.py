"""Progress of a long run: a bar with rate and remaining time, and a line per file that fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from analysis.document import ImageResult


class ResultCounter:
    """Counts results, prints their errors, and advances a bar if there is one."""

    def __init__(self, console: Console, bar: Progress | None, total: int | None) -> None:
        self._console, self._bar = console, bar
        self._task = bar.add_task("images", total=total) if bar else None
        self.images = self.faces = self.failed = 0

    def add(self, result: ImageResult) -> None:
        """Count a result."""
        self.images += 1
        self.faces += len(result.faces)
        if result.error:
            self.failed += 1
            self._console.print(f"{result.id}: {result.error.detail}", markup=False)
        if self._bar and self._task is not None:
            self._bar.advance(self._task)


@contextmanager
def count_results(console: Console, total: int | None, *, bar: bool) -> Iterator[ResultCounter]:
    """Count the results of the block, with a bar if `bar` is set; `total` may be unknown."""
    if not bar:
        yield ResultCounter(console, None, total)
        return
    columns = (BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, speed_estimate_period=10, refresh_per_second=4
    ) as progress:
        yield ResultCounter(console, progress, total)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.1f} images/s")
