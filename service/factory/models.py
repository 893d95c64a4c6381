"""Finds the plans of the networks that the settings name."""

import math
from functools import partial
from pathlib import Path
from typing import NamedTuple

from analysis.workers import channel
from engines import build, plan
from engines.catalog import Catalog, ModelSpec
from engines.errors import PlanMissingError, WeightsMissingError
from engines.gpus import Gpu, one_per_kind
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

    `larger` are the detector with larger inputs, rising. The plans are for the first GPU and all
    GPUs of its kind; `others` are the same models for GPUs of other kinds.
    """

    engine: Engine
    reason: str
    detector: FoundModel
    landmarks: FoundModel | None
    emotion: FoundModel
    embedder: FoundModel | None
    larger: tuple[FoundModel, ...]
    others: "tuple[FoundModels, ...]" = ()

    @property
    def kinds(self) -> "list[FoundModels]":
        """The models for each kind of GPU; one if there is no GPU."""
        return [self, *self.others]

    def on(self, gpu: Gpu) -> "FoundModels":
        """Return the models for one of the GPUs of `engine`."""
        return next(each for each in self.kinds if each.engine.gpus()[0].kind == gpu.kind)

    @property
    def all(self) -> list[FoundModel]:
        """The models that are in use, one per task."""
        found = (self.detector, self.landmarks, self.emotion, self.embedder)
        return [model for model in found if model is not None]


def find_models(settings: Settings, engine: Engine | None = None) -> FoundModels:
    """Find the plans of `engine`, by default of the engine in `settings`, for each kind of GPU.

    Raises:
        EngineError: a plan is missing or does not fit; the message names the command to run.
    """
    catalog, chosen = load_catalog(settings), _choose(settings, engine)
    find = partial(_find, engine=chosen.engine, settings=settings)
    landmarks, detector = settings.landmarks, catalog.get(settings.detector, "detector")
    found = FoundModels(
        *chosen,
        find(detector),
        None if landmarks == "none" else find(catalog.get(landmarks, "landmarks")),
        find(catalog.get(settings.emotion, "emotion")),
        _find_embedder(catalog.get(settings.embedder, "embedder"), chosen.engine, settings),
        tuple(map(find, larger_inputs(detector, settings, chosen.engine))),
    )
    further = one_per_kind(chosen.engine.gpus())[1:] if uses_devices(settings) else []
    return found._replace(others=tuple(_find_again(found, gpu, settings) for gpu in further))


def larger_inputs(detector: ModelSpec, settings: Settings, engine: Engine) -> list[ModelSpec]:
    """Return the detector with the larger inputs that are in use, by their number of pixels.

    A device merges the images of all workers into batches of one height, so it has a wide input for
    films. Elsewhere each image has the height that it needs.
    """
    for_gpus = bool(engine.gpus()) or len(engine.heights(detector)) == 1
    on_device = uses_devices(settings) and (for_gpus or settings.device_process)
    specs = (*detector.larger, *(detector.wide if on_device else ()))
    return sorted(specs, key=lambda spec: math.prod(spec.input_size))


def uses_devices(settings: Settings) -> bool:
    """Whether each GPU gets a device process; otherwise only the first GPU is used."""
    return settings.isolate and settings.device_process is not False and channel.supported()


def load_catalog(settings: Settings) -> Catalog:
    """Load the built-in catalog, extended by the user's models and by the file in `settings`."""
    own = sorted(own_catalogs(settings).glob("*.toml"))
    return Catalog.load(*own, *([settings.catalog] if settings.catalog else []))


def own_catalogs(settings: Settings) -> Path:
    """Return the folder of catalogs, one per model, that commands write and all others read."""
    return settings.plans / "catalogs"


def _choose(settings: Settings, engine: Engine | None) -> Choice:
    if engine is not None:
        return Choice(engine, "given by the program")
    # The engine of this process runs the networks only if there are no worker processes.
    budget = settings.gpu_memory_bytes
    part = None if budget is None else -(-budget // settings.http_processes)
    return choose(settings.engine, settings.compute_capability, part)


def _find(spec: ModelSpec, engine: Engine, settings: Settings) -> FoundModel:
    return FoundModel(spec, *build.find(spec, engine, settings.plans, settings.precision))


def _find_again(found: FoundModels, gpu: Gpu, settings: Settings) -> FoundModels:
    """Find the plans of the same models for a GPU of another kind; all must exist."""
    engine = found.engine.on(gpu)

    def again(model: FoundModel) -> FoundModel:
        return _find(model.spec, engine, settings)

    return FoundModels(
        engine,
        found.reason,
        again(found.detector),
        found.landmarks and again(found.landmarks),
        again(found.emotion),
        found.embedder and again(found.embedder),
        tuple(map(again, found.larger)),
    )


def _find_embedder(spec: ModelSpec, engine: Engine, settings: Settings) -> FoundModel | None:
    """Find the embedder. It may be missing, unless the settings name one."""
    try:
        return _find(spec, engine, settings)
    except (WeightsMissingError, PlanMissingError):
        if "embedder" in settings.model_fields_set:
            raise
        return None
