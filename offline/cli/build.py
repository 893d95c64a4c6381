"""What `emotions build` and `emotions verify` do, told line by line."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from engines import build
from engines.build import Built, Say
from engines.catalog import ModelSpec, Task
from engines.errors import WeightsMissingError
from engines.plan import Sidecar, arguments
from engines.select import choose
from engines.types import Engine, Report
from service.factory import load_catalog
from service.settings import Settings

# Between two lines of a log.
PAUSE_S = 10.0


def chosen(names: list[str], settings: Settings) -> list[ModelSpec]:
    """Return the catalog's entries of these names; without names, of the models in use.

    Raises:
        CatalogError: the catalog has no such entry.
    """
    catalog = load_catalog(settings)
    if names:
        return [catalog.get(name) for name in names]
    used: dict[Task, str] = {
        "detector": settings.detector,
        "landmarks": settings.landmarks,
        "emotion": settings.emotion,
        "embedder": settings.embedder,
    }
    if settings.landmarks == "none":
        del used["landmarks"]
    return [catalog.get(name, task) for task, name in used.items()]


def build_all(
    specs: list[ModelSpec],
    settings: Settings,
    console: Console,
    *,
    force: bool = False,
    faces: Path | None = None,
    needed: bool = False,
) -> None:
    """Build the plans of `specs`; an embedder without weights is left out unless `needed`.

    Raises:
        EngineError: see `engines.build.build`.
    """
    say = _teller(console)
    engine, reason = choose(settings.engine, settings.compute_capability)
    say(f"engine: {engine.name} ({reason})")
    for spec in specs:
        try:
            with _progress(spec.name, console) as report:
                built = build.build(
                    spec,
                    engine,
                    settings.plans,
                    precision=settings.precision,
                    faces=faces,
                    force=force,
                    say=say,
                    report=report,
                )
        except WeightsMissingError as missing:
            if needed or spec.task != "embedder":
                raise
            say(f"left out: {missing}")
            continue
        say(_told(spec, engine, built))


def verify_all(
    specs: list[ModelSpec], settings: Settings, *, needed: bool = False
) -> Iterator[tuple[ModelSpec, Sidecar]]:
    """Hold plans against the reference again; an embedder without weights as in `build_all`.

    Raises:
        EngineError: see `engines.build.reverify`.
    """
    engine = choose(settings.engine, settings.compute_capability).engine
    for spec in specs:
        try:
            yield spec, build.reverify(spec, engine, settings.plans, settings.precision)
        except WeightsMissingError:
            if needed or spec.task != "embedder":
                raise


def _told(spec: ModelSpec, engine: Engine, built: Built) -> str:
    state = "built" if built.fresh else "up to date"
    if built.sidecar.parity is None:
        state += (
            f" but not verified: {engine.obstacle()}; where it can run, "
            f"`emotions verify {arguments(built.sidecar.fingerprint)}` makes the service take it"
        )
    elif built.fresh:
        state += " and verified"
    return f"{spec.name}: {state} ({engine.name}, {built.path.name})"


@contextlib.contextmanager
def _progress(name: str, console: Console) -> Iterator[Report]:
    """A bar on a terminal, a line now and then in a log."""
    if not console.is_terminal:
        yield _logged(name, _teller(console))
        return
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)

        def report(phase: str, step: int, steps: int) -> None:
            bar.update(task, description=f"{name}: {phase}", completed=step, total=steps)

        yield report


def _logged(name: str, say: Say) -> Report:
    last = time.monotonic()

    def report(phase: str, step: int, steps: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PAUSE_S:
            last = time.monotonic()
            say(f"{name}: {phase}, step {step} of {steps}")

    return report


def _teller(console: Console) -> Say:
    return lambda line: console.print(line, markup=False)
