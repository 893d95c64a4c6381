"""Makes the pipeline of a service, and exports its state as metrics."""

from analysis.plans import ModelPlans
from analysis.workers.layout import Layout
from analysis.workers.pipeline import Pipeline
from analysis.workers.pool import Pool
from analysis.workers.replica import Replica
from service.factory.models import FoundModels
from service.factory.processes import layout_of
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.pool_metrics import PoolMetrics
from service.telemetry.tracing import Tracing

# A step that hangs is tried twice; the deadline of the request leaves time for other steps, too.
STEPS_PER_DEADLINE, LEAST_STEP_LIMIT_S = 3, 5.0
# Maximum images per message to a worker. In front of a device large batches pay off.
IMAGES_PER_WORKER, IMAGES_PER_WORKER_ON_DEVICE = 4, 12
# On a CPU, waiting images are divided as if among this many times the workers. Otherwise some
# images would wait behind others in one worker while another worker is idle.
ROUNDS = 2


def open_pipeline(
    settings: Settings,
    models: FoundModels,
    metrics: Metrics,
    tracing: Tracing | None = None,
    replica: Replica | None = None,
) -> Pipeline:
    """Make the pipeline of `models`; `Pipeline.start` starts its processes.

    `replica` is this one of several HTTP processes, which gets its part of the workers.
    """
    layout = layout_of(settings, models, replica or Replica())
    pipeline = Pipeline(
        _pool(settings, layout, metrics, tracing or Tracing()),
        networks=tuple(model.spec.task for model in models.all),
        labels=models.emotion.spec.labels,
        workers=layout.workers,
    )
    _export(metrics.pool, pipeline, models, layout.plans)
    return pipeline


def _pool(settings: Settings, layout: Layout, metrics: Metrics, tracing: Tracing) -> Pool:
    return Pool(
        layout.groups(),
        images_per_worker=IMAGES_PER_WORKER_ON_DEVICE if layout.devices else IMAGES_PER_WORKER,
        spread_over=None if layout.devices else ROUNDS * layout.workers,
        limit_s=step_limit_s(settings),
        observers=[metrics.pool, *tracing.observers()],
    )


def step_limit_s(settings: Settings) -> float:
    """Return the maximum time of one step of a worker or of one batch, in seconds."""
    part = settings.deadline_s / STEPS_PER_DEADLINE
    return settings.batch_limit_s or max(LEAST_STEP_LIMIT_S, part)


def _export(
    metrics: PoolMetrics, pipeline: Pipeline, models: FoundModels, plans: ModelPlans
) -> None:
    pool = pipeline.pool
    metrics.export_pool(
        queued=lambda: pool.queued, ready=lambda: pool.workers_ready, workers=pipeline.workers
    )
    for model, *others in zip(*(kind.all for kind in models.kinds), strict=True):
        task, key = model.spec.task, model.sidecar.fingerprint
        digests = [each.sidecar.fingerprint.digest for each in (model, *others)]
        metrics.export_network(
            task,
            ready=lambda: pool.ready,
            max_batch=plans.all[task].batch,
            model=model.spec.name,
            engine=key.engine,
            plan=",".join(digests),
            precision=key.precision,
        )
