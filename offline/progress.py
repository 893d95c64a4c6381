"""How far a long run is: a bar with rate and remaining time, and a line for each bad file."""

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


class Counted:
    """Counts results, tells of those with errors, and moves a bar if there is one."""

    def __init__(self, console: Console, bar: Progress | None, total: int | None) -> None:
        self._console, self._bar = console, bar
        self._task = bar.add_task("images", total=total) if bar else None
        self.images = self.faces = self.failed = 0

    def __call__(self, result: ImageResult) -> None:
        """Take note of a result."""
        self.images += 1
        self.faces += len(result.faces)
        if result.error:
            self.failed += 1
            self._console.print(f"{result.id}: {result.error.detail}", markup=False)
        if self._bar and self._task is not None:
            self._bar.advance(self._task)


@contextmanager
def counted(console: Console, total: int | None, *, bar: bool) -> Iterator[Counted]:
    """Show a bar while the block runs, if `bar` says so."""
    if not bar:
        yield Counted(console, None, total)
        return
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, speed_estimate_period=10, refresh_per_second=4
    ) as progress:
        yield Counted(console, progress, total)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.1f} images/s")
