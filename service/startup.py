"""From settings to models: which networks, which engine, which plans."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from engines import build, plan
from engines.catalog import Catalog, ModelSpec
from engines.choice import Choice, choose
from engines.errors import PlanMissing, WeightsMissing
from engines.runner import Engine
from service.settings import Settings


class Model(NamedTuple):
    """A model whose plan is in place."""

    spec: ModelSpec
    plan: Path
    sidecar: plan.Sidecar


class Models(NamedTuple):
    """The models that a service runs; those that may be absent are None then."""

    engine: Engine
    reason: str
    detector: Model
    landmarks: Model | None
    emotion: Model
    embedder: Model | None

    @property
    def all(self) -> list[Model]:
        """Those that are there."""
        found = (self.detector, self.landmarks, self.emotion, self.embedder)
        return [model for model in found if model is not None]


def find_models(settings: Settings, engine: Engine | None = None) -> Models:
    """Find the plans that `settings` ask for, for their engine unless another is given.

    Raises:
        EngineError: a plan is missing or does not fit; the message names the command to run.
    """
    catalog = load_catalog(settings)
    chosen = (
        choose(settings.engine, settings.compute_capability)
        if engine is None
        else Choice(engine, "given by the program")
    )
    find = partial(_find, engine=chosen.engine, settings=settings)
    landmarks = settings.landmarks
    return Models(
        *chosen,
        find(catalog.get(settings.detector, "detector")),
        None if landmarks == "none" else find(catalog.get(landmarks, "landmarks")),
        find(catalog.get(settings.emotion, "emotion")),
        _optional(catalog.get(settings.embedder, "embedder"), chosen.engine, settings),
    )


def load_catalog(settings: Settings) -> Catalog:
    """The built-in catalog with the user's own over it."""
    return Catalog.load(*([settings.catalog] if settings.catalog else []))


def _find(spec: ModelSpec, engine: Engine, settings: Settings) -> Model:
    return Model(spec, *build.find(spec, engine, settings.plans, settings.precision))


def _optional(spec: ModelSpec, engine: Engine, settings: Settings) -> Model | None:
    """The embedder is left out when it is the default and nobody has brought it."""
    try:
        return _find(spec, engine, settings)
    except (WeightsMissing, PlanMissing):
        if "embedder" in settings.model_fields_set:
            raise
        return None
