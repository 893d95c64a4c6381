"""Finds the plans of the networks that the settings name."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from engines import build, plan
from engines.catalog import Catalog, ModelSpec
from engines.errors import PlanMissingError, WeightsMissingError
from engines.select import Choice, choose
from engines.types import Engine
from service.settings import Settings


class FoundModel(NamedTuple):
    """A model and the files of its plan."""

    spec: ModelSpec
    plan: Path
    sidecar: plan.Sidecar


class FoundModels(NamedTuple):
    """The models that a service runs; `reason` is why it runs them on this engine.

    `larger` are the detector with larger inputs, rising.
    """

    engine: Engine
    reason: str
    detector: FoundModel
    landmarks: FoundModel | None
    emotion: FoundModel
    embedder: FoundModel | None
    larger: tuple[FoundModel, ...]

    @property
    def all(self) -> list[FoundModel]:
        """The models that are in use, one per task."""
        found = (self.detector, self.landmarks, self.emotion, self.embedder)
        return [model for model in found if model is not None]


def find_models(settings: Settings, engine: Engine | None = None) -> FoundModels:
    """Find the plans of `engine`, by default of the engine in `settings`.

    Raises:
        EngineError: a plan is missing or does not fit; the message names the command to run.
    """
    catalog, chosen = load_catalog(settings), _choose(settings, engine)
    find = partial(_find, engine=chosen.engine, settings=settings)
    landmarks, detector = settings.landmarks, catalog.get(settings.detector, "detector")
    return FoundModels(
        *chosen,
        find(detector),
        None if landmarks == "none" else find(catalog.get(landmarks, "landmarks")),
        find(catalog.get(settings.emotion, "emotion")),
        _find_embedder(catalog.get(settings.embedder, "embedder"), chosen.engine, settings),
        tuple(map(find, detector.larger)),
    )


def load_catalog(settings: Settings) -> Catalog:
    """Load the built-in catalog, extended by the file in `settings`."""
    return Catalog.load(*([settings.catalog] if settings.catalog else []))


def _choose(settings: Settings, engine: Engine | None) -> Choice:
    if engine is not None:
        return Choice(engine, "given by the program")
    return choose(settings.engine, settings.compute_capability)


def _find(spec: ModelSpec, engine: Engine, settings: Settings) -> FoundModel:
    return FoundModel(spec, *build.find(spec, engine, settings.plans, settings.precision))


def _find_embedder(spec: ModelSpec, engine: Engine, settings: Settings) -> FoundModel | None:
    """Find the embedder. It may be missing, unless the settings name one."""
    try:
        return _find(spec, engine, settings)
    except (WeightsMissingError, PlanMissingError):
        if "embedder" in settings.model_fields_set:
            raise
        return None
