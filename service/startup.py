"""From settings to models: which networks, which engine, which plans."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from engines import build, plan, weights
from engines.catalog import Catalog, ModelSpec
from engines.choice import choose
from engines.errors import PlanMissing, WeightsMissing
from engines.runner import Engine
from service import landmarks
from service.settings import Settings


class Model(NamedTuple):
    """A model whose plan is in place."""

    spec: ModelSpec
    plan: Path
    sidecar: plan.Sidecar


class Placer(NamedTuple):
    """The network that places landmarks, which needs no plan."""

    spec: ModelSpec
    path: Path
    digest: str


class Models(NamedTuple):
    """The models that a service runs."""

    engine: Engine
    reason: str
    detector: Model
    emotion: Model
    embedder: Model | None
    landmarks: Placer | None = None

    @property
    def all(self) -> list[Model]:
        """Those that are there."""
        return [m for m in (self.detector, self.emotion, self.embedder) if m is not None]


def find_models(settings: Settings) -> Models:
    """Find the plans that `settings` ask for.

    Raises:
        EngineError: a plan is missing or does not fit; the message names the command to run.
    """
    catalog = load_catalog(settings)
    engine, reason = choose(settings.engine, settings.compute_capability)
    find = partial(_find, engine=engine, settings=settings)
    detector = find(catalog.get(settings.detector, "detector"))
    emotion = find(catalog.get(settings.emotion, "emotion"))
    embedder = catalog.get(settings.embedder, "embedder")
    return Models(
        engine,
        reason,
        detector,
        emotion,
        _optional(embedder, engine, settings),
        find_placer(settings, catalog),
    )


def find_placer(settings: Settings, catalog: Catalog) -> Placer | None:
    """Find the network that places landmarks, unless the settings want none.

    Raises:
        EngineError: there is none of that name, or its file is missing, damaged or another kind of
            network.
    """
    if settings.landmarks == "none":
        return None
    spec = catalog.get(settings.landmarks, "landmarks")
    path = weights.find(spec, settings.plans / "weights").absolute()
    landmarks.warm(path)  # so that what does not fit is told here, not by worker after worker
    return Placer(spec, path, weights.sha256(path))


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
