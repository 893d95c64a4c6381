"""Metrics of the worker pool: its queue, its processes, and the batches of the networks."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

from analysis.timing import Batch
from analysis.workers import process
from analysis.workers.observer import Observer
from service.telemetry.registry import Registry

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
NETWORK = ("network",)


class PoolMetrics(Observer):
    """Counts what a pool reports to its observers."""

    def __init__(self, registry: Registry) -> None:
        self._define_networks(registry)
        self._define_workers(registry)

    def _define_networks(self, registry: Registry) -> None:
        rows = registry.histogram(
            "batch_items", "Items per batch: images, faces, or JPEGs on the GPU", NETWORK, ROWS
        )
        waits = registry.histogram(
            "queue_seconds", "Time that the oldest item of a batch waited for a device", NETWORK
        )
        seconds = registry.histogram("batch_seconds", "Time of a batch in its engine", NETWORK)
        # A lookup by labels takes longer than the observation itself.
        self._rows, self._waits = cache(rows.labels), cache(waits.labels)
        self._seconds = cache(seconds.labels)
        self._batch_limit = registry.gauge(
            "batch_limit_items", "Maximum number of items per batch", NETWORK
        )
        self._ready = registry.gauge("ready", "1 if a worker serves the network", NETWORK)
        self._failures = registry.counter(
            "runner_failures", "Networks that failed and were reopened"
        )
        self._engine = registry.info(
            "engine", "Model, engine, precision and plan of each network", NETWORK
        )

    def _define_workers(self, registry: Registry) -> None:
        self._queued = registry.gauge("queued_images", "Images that wait for a worker")
        self._dropped = registry.counter(
            "dropped_images",
            "Images removed from the queue: late (deadline passed) or gone (client disconnected)",
            ["reason"],
        )
        self._workers = registry.gauge("workers", "Configured number of workers")
        self._workers_ready = registry.gauge("workers_ready", "Workers that can analyze images")
        self._busy = registry.counter(
            "worker_busy_seconds", "Time that workers were busy, summed over the workers"
        )
        self._restarts = registry.counter(
            "worker_restarts", "Processes replaced because they died or hung", ["reason"]
        )
        for reason in ("late", "gone"):  # a series that starts at 0 shows its first increase
            self._dropped.labels(reason)
        for reason in process.REASONS:
            self._restarts.labels(reason)

    def batches_ran(self, batches: Sequence[Batch], owners: Sequence[object]) -> None:  # noqa: ARG002
        for batch in batches:
            self._rows(batch.network).observe(batch.rows)
            self._waits(batch.network).observe(batch.started - batch.queued)
            self._seconds(batch.network).observe(batch.ended - batch.started)

    def worker_answered(self, seconds: float) -> None:
        self._busy.inc(seconds)

    def networks_failed(self, count: int) -> None:
        self._failures.inc(count)

    def process_restarted(self, reason: str) -> None:
        self._restarts.labels(reason).inc()

    def images_dropped(self, reason: Literal["late", "gone"], count: int) -> None:
        self._dropped.labels(reason).inc(count)

    def export_pool(
        self, *, queued: Callable[[], int], ready: Callable[[], int], workers: int
    ) -> None:
        """Export the queue and the ready workers, read at each scrape, and `workers`."""
        self._queued.set_function(queued)
        self._workers_ready.set_function(ready)
        self._workers.set(workers)

    def export_network(
        self, network: str, *, ready: Callable[[], bool], max_batch: int, **engine: str
    ) -> None:
        """Export the readiness of a network, read at each scrape, its batch limit and `engine`."""
        self._ready.labels(network).set_function(ready)
        self._batch_limit.labels(network).set(max_batch)
        self._engine.labels(network).info(engine)
