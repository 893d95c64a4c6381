"""From settings to a pipeline: which models, which plans, how many workers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engines import build, cores, plan, verify
from engines.catalog import Catalog, ModelSpec
from engines.choice import choose
from engines.errors import PlanMissing, WeightsMissing
from engines.runner import Engine, Runner
from engines.worker import channel, process
from service.gate import Gate
from service.image import ImageLimits
from service.metrics import Counted, Metrics
from service.pipeline import NetworkBatcher, Pipeline, rows_of
from service.quarantine import Quarantine
from service.record import Noted, Stage
from service.settings import Settings
from service.tracing import Tracing

# A frame of a crowd gives more faces than there are frames.
FACES_A_FRAME = 4
# Two tries of a batch that hangs fit into a request's deadline, with time for the rest.
BATCH_SHARE, LEAST_BATCH_LIMIT_S = 3, 5.0
STAGES: dict[str, Stage] = {"detector": "detect", "emotion": "classify", "embedder": "embed"}


class Model(NamedTuple):
    """A model whose plan is in place."""

    spec: ModelSpec
    plan: Path
    sidecar: plan.Sidecar


class Models(NamedTuple):
    """The models that a service runs."""

    engine: Engine
    reason: str
    detector: Model
    emotion: Model
    embedder: Model | None

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
    return Models(engine, reason, detector, emotion, _optional(embedder, engine, settings))


def load_catalog(settings: Settings) -> Catalog:
    """The built-in catalog with the user's own over it."""
    return Catalog.load(*([settings.catalog] if settings.catalog else []))


def open_pipeline(
    settings: Settings,
    models: Models,
    metrics: Metrics,
    tracing: Tracing | None = None,
    *,
    isolated: bool = False,
) -> Pipeline:
    """Wire batchers, threads and geometry; `Pipeline.start` brings them to life.

    The networks run in a process of their own where that is asked for and can be had.
    """
    worker = _worker(settings, models.engine, metrics) if isolated and channel.supported() else None
    batcher = partial(
        _batcher,
        settings=settings,
        engine=models.engine,
        opener=worker.open if worker else models.engine.open,
        metrics=metrics,
        tracing=tracing or Tracing(),
        quarantine=Quarantine(),
    )
    threads = settings.workers or cores.available()
    workers = settings.workers or models.engine.workers()
    # Twice what threads and networks take at once: the next are ready when those are done.
    at_once = 2 * (threads + workers * models.engine.batch(models.detector.spec))
    pipeline = Pipeline(
        batcher(models.detector, capacity=settings.max_queue),
        batcher(models.emotion, capacity=FACES_A_FRAME * settings.max_queue),
        models.embedder and batcher(models.embedder, capacity=FACES_A_FRAME * settings.max_queue),
        threads=ThreadPoolExecutor(threads, thread_name_prefix="image"),
        limits=ImageLimits(settings.max_image_bytes, settings.max_pixels),
        size=verify.input_size(models.detector.spec),
        labels=models.emotion.spec.labels,
        nms_iou=settings.nms_iou,
        close_ups=settings.close_ups,
        gate=Gate(settings.max_queue, at_once),
        worker=worker,
    )
    metrics.watch_images(lambda: pipeline.gate.admitted, settings.max_queue)
    return pipeline


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


def _worker(settings: Settings, engine: Engine, metrics: Metrics) -> process.Worker:
    return process.Worker(
        process.command(engine.name, settings.compute_capability),
        limit_s=settings.batch_limit_s
        or max(LEAST_BATCH_LIMIT_S, settings.deadline_s / BATCH_SHARE),
        restarted=lambda reason: metrics.worker_restarts.labels(reason).inc(),
    )


def _batcher(
    model: Model,
    *,
    settings: Settings,
    engine: Engine,
    opener: Callable[[Path, ModelSpec], Runner],
    metrics: Metrics,
    tracing: Tracing,
    quarantine: Quarantine,
    capacity: int,
) -> NetworkBatcher:
    spec = model.spec
    batcher: NetworkBatcher = NetworkBatcher(
        spec.task,
        partial(
            rows_of,
            partial(opener, model.plan, spec),
            verify.input_name(spec.task),
            np.zeros(verify.input_shape(spec), np.uint8),
        ),
        workers=settings.workers or engine.workers(),
        max_batch=engine.batch(spec),
        capacity=capacity,
        quarantine=quarantine,
        observers=(
            Noted(STAGES[spec.task]),
            Counted(metrics, spec.task),
            *tracing.observers(spec.task),
        ),
    )
    metrics.watch_network(
        spec.task,
        queued=lambda: batcher.queued,
        ready=lambda: batcher.ready,
        capacity=capacity,
        max_batch=engine.batch(spec),
    )
    metrics.describe_engine(
        spec.task,
        model=spec.name,
        engine=engine.name,
        plan=model.sidecar.fingerprint.digest,
        precision=model.sidecar.fingerprint.precision,
    )
    return batcher
