"""Select models, build and verify their plans, and show the progress."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from engines import build
from engines.build import Built
from engines.catalog import Catalog, ModelSpec, Task
from engines.errors import WeightsMissingError
from engines.plan import Sidecar
from engines.select import choose
from engines.types import Engine
from offline.build_progress import build_progress, printer
from service.factory import larger_inputs, load_catalog
from service.settings import Settings


def select_models(names: list[str], settings: Settings, engine: Engine) -> list[ModelSpec]:
    """Return the catalog's entries of these names; without names, those that the settings name.

    A detector is followed by itself with the larger inputs that `engine` uses.

    Raises:
        CatalogError: the catalog has no such entry.
    """
    chosen = _chosen(names, settings, load_catalog(settings))
    return [each for spec in chosen for each in (spec, *larger_inputs(spec, settings, engine))]


def _chosen(names: list[str], settings: Settings, catalog: Catalog) -> list[ModelSpec]:
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


def build_plans(
    names: list[str],
    settings: Settings,
    console: Console,
    *,
    force: bool = False,
    faces: Path | None = None,
) -> None:
    """Build the plans of `select_models`; skip an embedder without weights unless it is named.

    Raises:
        EngineError: see `engines.build.build`.
    """
    log = printer(console)
    engine, reason = choose(settings.engine, settings.compute_capability)
    log(f"engine: {engine.name} ({reason})")
    for spec in select_models(names, settings, engine):
        try:
            with build_progress(spec.name, console) as report:
                built = build.build(
                    spec,
                    engine,
                    settings.plans,
                    precision=settings.precision,
                    faces=faces,
                    force=force,
                    log=log,
                    report=report,
                )
        except WeightsMissingError as error:
            if names or spec.task != "embedder":
                raise
            log(f"skipped: {error}")
        else:
            log(_summary(spec, engine, built))


def verify_plans(names: list[str], settings: Settings) -> Iterator[tuple[ModelSpec, Sidecar]]:
    """Compare plans with the reference again; skip an embedder as `build_plans` does.

    Raises:
        EngineError: see `engines.build.verify`.
    """
    engine = choose(settings.engine, settings.compute_capability).engine
    for spec in select_models(names, settings, engine):
        try:
            yield spec, build.verify(spec, engine, settings.plans, settings.precision)
        except WeightsMissingError:
            if names or spec.task != "embedder":
                raise


def _summary(spec: ModelSpec, engine: Engine, built: Built) -> str:
    state = "built" if built.fresh else "up to date"
    if built.sidecar.parity is None:
        arguments = built.sidecar.fingerprint.arguments
        state += (
            f" but not verified: {engine.obstacle()}; run `emotions verify {arguments}` on a "
            "machine that can run it, so that the service loads it"
        )
    elif built.fresh:
        state += " and verified"
    return f"{spec.name}: {state} ({built.sidecar.fingerprint.engine}, {built.path.name})"
