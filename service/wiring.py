"""From models to a pipeline: what finds faces, batchers, workers, and who is told of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from engines import cores, verify
from engines.runner import Runner
from engines.worker import channel, process
from engines.worker.pool import Workers
from service.batcher import Batcher
from service.gate import Gate
from service.image import ImageLimits
from service.lane import wire
from service.lane.lane import Lane, Networks
from service.lane.lanes import Lanes, Waited, answers_of
from service.metrics import Counted, Metrics
from service.parameters import MOST_FACES
from service.pipeline import Finder, Pipeline, rows_of
from service.quarantine import Quarantine
from service.record import Noted, Observer, Stage
from service.settings import Settings
from service.staged import NetworkBatcher, Staged
from service.stages import Rules
from service.startup import Model, Models
from service.tracing import Tracing

# Two tries of a batch that hangs fit into a request's deadline, with time for the rest.
BATCH_SHARE, LEAST_BATCH_LIMIT_S = 3, 5.0
# Images that a lane is handed at once where many wait, and how often what waits is to suffice for
# every lane: where it does not, images wait for each other in one lane while the next is idle.
TOGETHER, ROUNDS = 4, 2
STAGES: dict[str, Stage] = {"detector": "detect", "emotion": "classify", "embedder": "embed"}


def open_pipeline(
    settings: Settings,
    models: Models,
    metrics: Metrics,
    tracing: Tracing | None = None,
    *,
    isolated: bool = False,
) -> Pipeline:
    """Wire what an image goes through; `Pipeline.start` brings it to life.

    The networks run in processes of their own where that is asked for and can be had: one for a
    GPU, and one a lane.
    """
    wiring = Wiring(settings, models, metrics, tracing or Tracing(), isolated=isolated)
    finder = wiring.lanes() if wiring.one_by_one else wiring.staged()
    pipeline = Pipeline(
        finder,
        wiring.network(models.emotion),
        models.embedder and wiring.network(models.embedder),
        labels=models.emotion.spec.labels,
        gate=Gate(settings.max_queue, wiring.at_once),
        workers=wiring.workers,
    )
    metrics.watch_images(lambda: pipeline.gate.admitted, settings.max_queue)
    return pipeline


def rules_of(settings: Settings, models: Models) -> Rules:
    """What holds for all images that go through `models`."""
    return Rules(
        ImageLimits(settings.max_image_bytes, settings.max_pixels),
        verify.input_size(models.detector.spec),
        settings.nms_iou,
        settings.close_ups,
        models.engine.heights(models.detector.spec),
        models.landmarks and models.landmarks.path,
    )


class Wiring:
    """What the parts of one pipeline have in common."""

    def __init__(
        self,
        settings: Settings,
        models: Models,
        metrics: Metrics,
        tracing: Tracing,
        *,
        isolated: bool,
    ) -> None:
        self._settings, self._models = settings, models
        self._metrics, self._tracing = metrics, tracing
        self._engine = models.engine
        self._quarantine = Quarantine()
        self._runners = settings.workers or models.engine.workers()
        self._rules = rules_of(settings, models)
        # A detector that takes images one by one needs no other image beside it.
        self.one_by_one = models.engine.batch(models.detector.spec) == 1
        # Two lanes in one process wait for its interpreter, and for each other's memory.
        count = self._runners if self.one_by_one else 1
        self.workers = (
            Workers([self._worker() for _ in range(count)])
            if isolated and channel.supported()
            else None
        )

    @property
    def at_once(self) -> int:
        """Twice what threads and networks take: the next are ready when those are done."""
        threads = self._settings.workers or cores.available()
        images = TOGETHER if self.one_by_one else self._engine.batch(self._models.detector.spec)
        return 2 * (threads + self._runners * images)

    def lanes(self) -> Finder:
        """A lane a core, and one image or a few of those that wait for it."""
        model = self._models.detector
        emotion = self._models.emotion
        networks = Networks((model.plan, model.spec), (emotion.plan, emotion.spec), self._rules)
        return Lanes(
            self._batcher(
                model,
                partial(answers_of, self._opener(networks)),
                Waited(),
                max_batch=TOGETHER,
                takers=self._runners * ROUNDS,
            ),
            self._observers("emotion"),
        )

    def staged(self) -> Finder:
        """Batches of the images of all callers, and threads around them."""
        threads = self._settings.workers or cores.available()
        pool = ThreadPoolExecutor(threads, thread_name_prefix="image")
        return Staged(self.network(self._models.detector), pool, self._rules)

    def network(self, model: Model) -> NetworkBatcher:
        """A batcher in front of one network."""
        spec = model.spec
        opener = self.workers.open if self.workers else self._engine.open
        rows = partial(
            rows_of,
            partial(opener, model.plan, spec),
            verify.input_name(spec.task),
            np.zeros(verify.input_shape(spec), np.uint8),
        )
        noted = Noted(STAGES[spec.task])
        return self._batcher(model, rows, noted, max_batch=self._engine.batch(spec))

    def _opener(self, networks: Networks) -> Callable[[], AbstractContextManager[Runner]]:
        if self.workers:
            return partial(self.workers.open, *networks.detector, wire.encode(networks))
        return lambda: wire.LaneRunner(Lane.open(self._engine, networks))

    def _batcher(
        self,
        model: Model,
        open_run: Any,
        noted: Observer,
        *,
        max_batch: int,
        takers: int | None = None,
    ) -> Batcher[Any, Any]:
        settings, spec = self._settings, model.spec
        # The gate alone turns images away: of those that it lets work, none is for its faces.
        each = 1 if spec.task == "detector" else max(MOST_FACES, settings.max_faces)
        capacity = max(settings.max_queue, self.at_once * each)
        batcher: Batcher[Any, Any] = Batcher(
            spec.task,
            open_run,
            workers=self._runners,
            max_batch=max_batch,
            takers=takers,
            capacity=capacity,
            quarantine=self._quarantine,
            observers=(noted, *self._observers(spec.task)),
        )
        self._metrics.watch_network(
            spec.task,
            queued=lambda: batcher.queued,
            ready=lambda: batcher.ready,
            capacity=capacity,
            max_batch=max_batch,
        )
        self._metrics.describe_engine(
            spec.task,
            model=spec.name,
            engine=self._engine.name,
            plan=model.sidecar.fingerprint.digest,
            precision=model.sidecar.fingerprint.precision,
        )
        return batcher

    def _observers(self, task: str) -> list[Observer]:
        return [Counted(self._metrics, task), *self._tracing.observers(task)]

    def _worker(self) -> process.Worker:
        settings, metrics = self._settings, self._metrics
        module = "service.lane" if self.one_by_one else "engines.worker"
        return process.Worker(
            process.command(self._engine.name, settings.compute_capability, module),
            limit_s=settings.batch_limit_s
            or max(LEAST_BATCH_LIMIT_S, settings.deadline_s / BATCH_SHARE),
            restarted=lambda reason: metrics.worker_restarts.labels(reason).inc(),
        )
