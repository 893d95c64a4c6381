"""From settings to a running pipeline: which engine, which plans, which processes."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from analysis.decode import ImageLimits
from analysis.networks import Plan, Plans, Rules
from analysis.workers import channel
from analysis.workers.layout import Layout
from analysis.workers.pipeline import Pipeline
from analysis.workers.pool import Pool
from analysis.workers.replica import Replica
from engines import build, cpu, plan
from engines.catalog import Catalog, ModelSpec
from engines.errors import EngineError, PlanMissingError, WeightsMissingError
from engines.select import Choice, choose
from engines.types import Engine
from service.settings import Settings
from service.telemetry.metrics import BatchMetrics, Metrics
from service.telemetry.tracing import Tracing

# A request's deadline leaves time for two tries of a step that hangs, and for the rest.
STEPS_PER_DEADLINE, LEAST_STEP_LIMIT_S = 3, 5.0
# Most images that a worker is sent at once: fewer for one with networks of its own, more in front
# of a device, where large batches pay.
IMAGES_PER_WORKER, IMAGES_PER_WORKER_ON_DEVICE = 4, 12
# On a CPU waiting images are spread as if over this many times the workers: else some images wait
# behind others in one worker while the next worker is idle.
ROUNDS = 2
# Workers per core in front of a device: some wait for it while others decode.
WORKERS_PER_CORE = 2


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
    except (WeightsMissingError, PlanMissingError):
        if "embedder" in settings.model_fields_set:
            raise
        return None


def open_pipeline(
    settings: Settings,
    models: Models,
    metrics: Metrics,
    tracing: Tracing | None = None,
    replica: Replica | None = None,
) -> Pipeline:
    """Make the pipeline of `models`; `Pipeline.start` starts its processes.

    `replica` says which part of the workers is this process's, where several HTTP processes run.
    """
    layout = layout_of(settings, models, replica or Replica())
    pool = Pool(
        layout.groups(),
        together=IMAGES_PER_WORKER_ON_DEVICE if layout.devices else IMAGES_PER_WORKER,
        takers=None if layout.devices else ROUNDS * layout.workers,
        limit_s=step_limit_s(settings),
        observers=[BatchMetrics(metrics), *(tracing or Tracing()).observers()],
    )
    networks = tuple(layout.plans.all)
    pipeline = Pipeline(
        pool, networks=networks, labels=models.emotion.spec.labels, workers=layout.workers
    )
    _watch(metrics, pipeline, models, layout.plans)
    return pipeline


def layout_of(settings: Settings, models: Models, replica: Replica) -> Layout:
    """Return the processes that `settings` ask for."""
    devices = device_count(settings, models)
    per_core = WORKERS_PER_CORE if devices else 1
    workers = replica.part_of(settings.workers or per_core * cpu.available())
    return Layout(
        models.engine,
        plans_of(settings, models, device=bool(devices)),
        max(workers, devices),
        devices,
        _isolated(settings),
        settings.compute_capability,
        replica,
    )


def device_count(settings: Settings, models: Models) -> int:
    """Return the number of device processes: one per GPU, or one where the settings ask for it."""
    wanted, found = settings.device_process, models.engine.devices()
    if not _isolated(settings) or wanted is False:
        return 0
    return max(found, 1) if wanted else found


def plans_of(settings: Settings, models: Models, *, device: bool = False) -> Plans:
    """Return what a worker opens, and the rules that hold for every image.

    On a device the batch is the model's largest, and all rows of a batch have one height.
    """

    def plan_of(model: Model) -> Plan:
        spec = model.spec
        batch = spec.max_batch if device else models.engine.batch(spec)
        return Plan(model.plan, spec, batch)

    spec = models.detector.spec
    rules = Rules(
        ImageLimits(settings.max_image_bytes, settings.max_pixels),
        spec.input_size,
        settings.nms_iou,
        settings.close_ups,
        () if device else models.engine.heights(spec),
    )
    return Plans(
        plan_of(models.detector),
        plan_of(models.emotion),
        rules,
        models.landmarks and plan_of(models.landmarks),
        models.embedder and plan_of(models.embedder),
    )


def open_tracing(settings: Settings) -> Tracing:
    """Return the tracing that `settings` ask for.

    Raises:
        EngineError: a collector is set, but the extra is not installed.
    """
    if settings.otlp_url is None:
        return Tracing()
    try:
        from service.telemetry.spans import open_spans  # noqa: PLC0415  (an optional library)
    except ImportError as error:
        raise EngineError(
            "EMOTIONS_OTLP_URL is set, but OpenTelemetry is not installed; "
            "`pip install 'emotions[otel]'` brings it, or unset EMOTIONS_OTLP_URL"
        ) from error
    return open_spans(settings.otlp_url, settings.trace_share)


def _isolated(settings: Settings) -> bool:
    return settings.isolate and channel.supported()


def step_limit_s(settings: Settings) -> float:
    """Return the longest time that a step of a worker or a batch may take."""
    part = settings.deadline_s / STEPS_PER_DEADLINE
    return settings.batch_limit_s or max(LEAST_STEP_LIMIT_S, part)


def _watch(metrics: Metrics, pipeline: Pipeline, models: Models, plans: Plans) -> None:
    pool = pipeline.pool
    metrics.watch_pool(
        queued=lambda: pool.queued, ready=lambda: pool.workers_ready, workers=pipeline.workers
    )
    for model in models.all:
        task, key = model.spec.task, model.sidecar.fingerprint
        metrics.watch_network(task, ready=lambda: pool.ready, max_batch=plans.all[task].batch)
        metrics.describe_engine(
            task,
            model=model.spec.name,
            engine=models.engine.name,
            plan=key.digest,
            precision=key.precision,
        )
