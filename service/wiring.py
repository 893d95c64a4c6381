"""From models and settings to a pipeline: which workers, in which processes, who observes them."""

from functools import partial

from analysis.decode import ImageLimits
from analysis.networks import Plan, Plans, Rules, opened
from analysis.workers import channel
from analysis.workers.members import (
    ProcessDevice,
    ProcessWorker,
    ThreadWorker,
    address,
    listen,
)
from analysis.workers.messages import Setup
from analysis.workers.pool import Pool
from analysis.workers.types import Group, Seat, Worker
from engines import cores, verify
from service.metrics import Counted, Metrics
from service.pipeline import Pipeline
from service.processes import Share
from service.settings import Settings
from service.startup import Model, Models
from service.tracing import Tracing

# Two tries of a step that hangs fit into a request's deadline, with time for the rest.
STEP_SHARE, LEAST_STEP_LIMIT_S = 3, 5.0
# Images that a worker is sent at once where many wait: with networks of its own, and in front of a
# device, where batches are to be large.
TOGETHER, TOGETHER_ON_DEVICE = 4, 12
# On a CPU what waits is to suffice for every worker this often: else images wait for each other in
# one worker while the next is idle.
ROUNDS = 2
# Workers per core in front of a device: some wait for it while others decode.
PER_CORE = 2


def open_pipeline(
    settings: Settings,
    models: Models,
    metrics: Metrics,
    tracing: Tracing | None = None,
    share: Share | None = None,
) -> Pipeline:
    """Make the pipeline of `models`; `Pipeline.start` starts its processes.

    `share` is this process's part of the workers where there are several HTTP processes.
    """
    layout = Layout(settings, models, share or Share())
    groups = layout.groups()
    pool = Pool(
        groups,
        together=TOGETHER_ON_DEVICE if layout.devices else TOGETHER,
        takers=None if layout.devices else ROUNDS * layout.workers,
        limit_s=layout.limit_s,
        observers=[Counted(metrics), *(tracing or Tracing()).observers()],
    )
    networks = tuple(layout.plans.all)
    pipeline = Pipeline(
        pool, networks=networks, labels=models.emotion.spec.labels, workers=layout.workers
    )
    _watch(metrics, pipeline, models, layout.plans)
    return pipeline


def rules_of(settings: Settings, models: Models, *, device: bool) -> Rules:
    """What holds for all images; on a device their rows share batches, which have one height."""
    spec = models.detector.spec
    return Rules(
        ImageLimits(settings.max_image_bytes, settings.max_pixels),
        verify.input_size(spec),
        settings.nms_iou,
        settings.close_ups,
        () if device else models.engine.heights(spec),
    )


def devices(settings: Settings, models: Models) -> int:
    """How many device processes there are: one per GPU, one if the settings want one anyhow."""
    wanted, found = settings.device_process, models.engine.devices()
    if not (settings.isolate and channel.supported()) or wanted is False:
        return 0
    return max(found, 1) if wanted else found


class Layout:
    """Which processes there are.

    On a CPU each core has a worker with networks of its own. In front of a GPU workers have none:
    a device process per GPU runs them, and merges the rows of its workers into batches.
    """

    def __init__(self, settings: Settings, models: Models, share: Share) -> None:
        self._settings, self._models, self._share = settings, models, share
        self.isolated = settings.isolate and channel.supported()
        self.devices = devices(settings, models)
        each = PER_CORE if self.devices else 1
        workers = share.of(settings.workers or each * cores.available())
        self.workers = max(workers, self.devices)
        self.plans = self._plans()

    @property
    def limit_s(self) -> float:
        """The longest time that a step of a worker or a batch may take."""
        share = self._settings.deadline_s / STEP_SHARE
        return self._settings.batch_limit_s or max(LEAST_STEP_LIMIT_S, share)

    def groups(self) -> list[Group]:
        """Workers, shared out over the devices; where there is none, each by itself."""
        if self.devices:
            return [self._with_device(gpu) for gpu in range(self.devices)]
        return [_group(self._worker()) for _ in range(self.workers)]

    def _worker(self) -> Worker:
        if self.isolated:
            return ProcessWorker(self._setup())
        return ThreadWorker(partial(opened, self._models.engine, self.plans))

    def _with_device(self, gpu: int) -> Group:
        """The workers of a device; the first HTTP process runs the device, the others use it."""
        listeners = self._share.devices
        listener = listeners[gpu] if listeners else listen()
        setup = self._setup(gpu, address(listener))
        count = len(range(gpu, self.workers, self.devices))
        group = _group(*(ProcessWorker(setup) for _ in range(count)))
        if not self._share.number:
            group.device = ProcessDevice(self._setup(gpu), listener)
        return group

    def _setup(self, gpu: int = 0, device: str | None = None) -> Setup:
        engine, capability = self._models.engine.origin, self._settings.compute_capability
        return Setup(engine, capability, gpu, self.plans, device)

    def _plans(self) -> Plans:
        models = self._models
        return Plans(
            self._plan(models.detector),
            self._plan(models.emotion),
            rules_of(self._settings, models, device=bool(self.devices)),
            models.landmarks and self._plan(models.landmarks),
            models.embedder and self._plan(models.embedder),
        )

    def _plan(self, model: Model) -> Plan:
        spec = model.spec
        return Plan(
            model.plan,
            spec,
            spec.max_batch if self.devices else self._models.engine.batch(spec),
        )


def _group(*workers: Worker) -> Group:
    group = Group()
    group.seats = [Seat(worker, group) for worker in workers]
    return group


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
