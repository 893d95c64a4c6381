"""Progress of a long run: a bar with rate and remaining time, and a line per file that fails."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TimeRemainingColumn,
)
from rich.text import Text

from analysis.document import ImageResult

# Kinds of files that the summary names; the rest is one more.
NAMED_KINDS = 8


class ResultCounter:
    """Counts results, prints their errors, and advances a bar if there is one.

    `done` counts the images and videos that an earlier run has analyzed; `left_out` counts other
    files by kind.
    """

    def __init__(
        self, console: Console, bar: Progress | None = None, task: TaskID | None = None
    ) -> None:
        self.console, self._bar, self._task = console, bar, task
        self.images = self.videos = self.faces = self.failed = self.done = 0
        self.left_out: Counter[str] = Counter()

    def add(self, result: ImageResult) -> None:
        """Count a result."""
        self.images += 1
        self.faces += len(result.faces)
        if result.error:
            self.failed += 1
            self.console.print(f"{result.id}: {result.error.detail}", markup=False)
        self.advance()

    def fail_video(self, name: str, reason: str) -> None:
        """Count and print a video that cannot be analyzed."""
        self.videos += 1
        self.failed += 1
        self.console.print(f"{name}: {reason}", markup=False)

    def leave_out(self, kind: str) -> None:
        """Count a file that is neither an image nor a video, or is not read."""
        self.left_out[kind] += 1
        self.advance()

    def advance(self, files: int = 1) -> None:
        """Advance the bar."""
        if self._bar and self._task is not None:
            self._bar.advance(self._task, files)

    @property
    def found(self) -> int:
        """How many images and videos there are, failed ones and those of earlier runs included."""
        return self.images + self.done + self.videos

    def __str__(self) -> str:
        counts = [f"{self.images} images", f"{self.faces} faces"]
        if self.videos:
            counts.append(f"{self.videos} videos")
        if self.done:
            counts.append(f"{self.done} files done before")
        return ", ".join(counts)

    def print_left_out(self) -> None:
        """Print how many files were left out, by kind."""
        if self.left_out:
            self.console.print(f"left out: {by_kind(self.left_out)}", markup=False)


def by_kind(counts: "Counter[str]") -> str:
    """Return counts as text, the largest first, such as "12 files (7 .txt, 5 .json)"."""
    kinds = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {kind}" for kind, count in kinds[:NAMED_KINDS]]
    if rest := sum(count for _, count in kinds[NAMED_KINDS:]):
        shown.append(f"{rest} of other kinds")
    total = counts.total()
    return f"{total} file{'s' * (total != 1)} ({', '.join(shown)})"


@contextmanager
def count_results(console: Console, total: int | None, noun: str) -> Iterator[ResultCounter]:
    """Count the results of the block; `total` is how many `noun` come, if known.

    A terminal shows a bar.
    """
    if total == 0 or not console.is_terminal:
        yield ResultCounter(console)
        return
    columns = (BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, speed_estimate_period=10, refresh_per_second=4
    ) as progress:
        yield ResultCounter(console, progress, progress.add_task(noun, total=total))


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.1f} {task.description}/s")
