"""Progress of a build: a bar on a terminal, a line every few seconds in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from engines.build import Log
from engines.types import Report

LINE_EVERY_S = 10.0


def printer(console: Console) -> Log:
    """Return a function that prints a line."""
    return lambda line: console.print(line, markup=False)


@contextmanager
def build_progress(name: str, console: Console) -> Iterator[Report]:
    """Yield the function that a build of model `name` calls with its steps."""
    if not console.is_terminal:
        yield _line_reporter(name, printer(console))
        return
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)

        def report(phase: str, step: int, steps: int) -> None:
            bar.update(task, description=f"{name}: {phase}", completed=step, total=steps)

        yield report


def _line_reporter(name: str, log: Log) -> Report:
    last = time.monotonic()

    def report(phase: str, step: int, steps: int) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            log(f"{name}: {phase}, step {step} of {steps}")

    return report
