"""Prometheus metrics of one service; a registry of its own, so that tests can have several."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

import service.errors  # noqa: F401  (its classes have codes, too)
from analysis import errors
from analysis.timing import Batch
from analysis.workers import process
from analysis.workers.types import Observer
from service.telemetry.record import Record

disable_created_metrics()  # type: ignore[no-untyped-call]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
NETWORK = ("network",)


class Metrics:
    """What a service counts."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, version: str = "") -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests()
        self._keys()
        self._networks()
        self._workers()
        self._info("build", "The version that runs").info({"version": version})

    def _requests(self) -> None:
        self.requests = self._counter("requests", "HTTP requests", ["path", "status"])
        self.seconds = self._histogram("request_seconds", "From request to answer", ["path"])
        self.refused = self._counter(
            "refused_requests", "Requests answered with a problem, by its code", ["code"]
        )
        self.received = self._counter("received_bytes", "Bytes of request bodies")
        self.images = self._counter("images", "Images by outcome: ok or a code", ["outcome"])
        self.faces = self._counter("faces", "Faces found")
        self.stage_seconds = self._histogram(
            "stage_seconds", "A request's or image's pass through a stage", ["stage"]
        )
        self._under_way = self._gauge("images_under_way", "Images between admission and answer")
        self._under_way_limit = self._gauge(
            "images_under_way_limit", "Images that may be under way"
        )
        self._held = self._gauge("held_bytes", "Bytes of requests that are not answered yet")
        self._held_limit = self._gauge("held_bytes_limit", "Bytes of requests that may be held")
        # To look a series up takes longer than to count.
        self._request = cache(self.requests.labels)
        self._seconds = cache(self.seconds.labels)
        self._stage = cache(self.stage_seconds.labels)
        for code in errors.codes():  # a series that begins at 0 shows its first increase
            self.refused.labels(code)

    def _keys(self) -> None:
        self.key_requests = self._counter(
            "key_requests", "Requests by name of API key and outcome", ["key", "outcome"]
        )
        self.key_images = self._counter("key_images", "Images by name of API key", ["key"])
        self.key_received = self._counter(
            "key_received_bytes", "Bytes of request bodies by name of API key", ["key"]
        )

    def _networks(self) -> None:
        self._rows = self._histogram("batch_items", "Items in a batch", NETWORK, ITEMS)
        self.batch_limit = self._gauge("batch_limit_items", "Most items in a batch", NETWORK)
        self._waited = self._histogram(
            "queue_seconds", "Time that a batch's oldest item waited for a device", NETWORK
        )
        self._ran = self._histogram(
            "batch_seconds", "Time that a batch took in its engine", NETWORK
        )
        self.ready = self._gauge("ready", "1 when a worker serves the network", NETWORK)
        self._failures = self._counter(
            "runner_failures", "Networks that failed and were opened again"
        )
        self._rows_of = cache(self._rows.labels)
        self._waited_of = cache(self._waited.labels)
        self._ran_of = cache(self._ran.labels)
        self._engine = self._info(
            "engine", "What serves a network: its model, engine, precision and plan", NETWORK
        )

    def _workers(self) -> None:
        self._queued = self._gauge("queued_images", "Images that wait for a worker")
        self._dropped = self._counter(
            "dropped_images",
            "Images taken out of the queue: late (deadline passed) or gone (caller hung up)",
            ["reason"],
        )
        for reason in ("late", "gone"):
            self._dropped.labels(reason)
        self._count = self._gauge("workers", "Workers that there should be")
        self._alive = self._gauge("workers_ready", "Workers that can analyze images")
        self._restarts = self._counter(
            "worker_restarts", "Processes replaced: they died, or hung", ["reason"]
        )
        for reason in process.REASONS:
            self._restarts.labels(reason)

    def request(self, path: str, status: int, seconds: float, record: Record) -> None:
        """Count a request that was answered."""
        self._request(path, status).inc()
        self._seconds(path).observe(seconds)
        self.received.inc(record.received)
        for stage, started, ended in record.samples:
            self._stage(stage).observe(ended - started)
        if record.code is not None:
            self.refused.labels(record.code).inc()
        if record.key is not None:
            self.key_requests.labels(record.key, record.code or "ok").inc()
            self.key_images.labels(record.key).inc(record.images)
            self.key_received.labels(record.key).inc(record.received)

    def batch(self, batch: Batch) -> None:
        """Count a batch that a network ran."""
        self._rows_of(batch.network).observe(batch.rows)
        self._waited_of(batch.network).observe(batch.started - batch.queued)
        self._ran_of(batch.network).observe(batch.ended - batch.started)

    def failed(self, networks: int) -> None:
        """Count networks that failed and were opened again."""
        self._failures.inc(networks)

    def restarted(self, reason: str) -> None:
        """Count a process that was replaced."""
        self._restarts.labels(reason).inc()

    def dropped(self, reason: str, images: int) -> None:
        """Count images that left the queue unanswered."""
        self._dropped.labels(reason).inc(images)

    def watch_pool(
        self, *, queued: Callable[[], int], ready: Callable[[], int], workers: int
    ) -> None:
        """Export a pool's queue and workers as they are at each scrape."""
        self._queued.set_function(queued)
        self._alive.set_function(ready)
        self._count.set(workers)

    def watch_network(self, network: str, *, ready: Callable[[], bool], max_batch: int) -> None:
        """Export a network's largest batch, and whether it is served at each scrape."""
        self.ready.labels(network).set_function(ready)
        self.batch_limit.labels(network).set(max_batch)

    def watch_images(self, under_way: Callable[[], int], limit: int) -> None:
        """Export the number of images between admission and answer, asked for at each scrape."""
        self._under_way.set_function(under_way)
        self._under_way_limit.set(limit)

    def watch_bytes(self, held: Callable[[], int], limit: int) -> None:
        """Export the bytes that requests hold, asked for at each scrape."""
        self._held.set_function(held)
        self._held_limit.set(limit)

    def describe_engine(self, network: str, **facts: str) -> None:
        """Export which engine and plan serve a network."""
        self._engine.labels(network).info(facts)

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(f"emotions_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(f"emotions_{name}", text, labels, registry=self.registry)

    def _info(self, name: str, text: str, labels: Iterable[str] = ()) -> Info:
        return Info(f"emotions_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, labels: Iterable[str], buckets: Sequence[float] = SECONDS
    ) -> Histogram:
        return Histogram(f"emotions_{name}", text, labels, buckets=buckets, registry=self.registry)


class BatchMetrics(Observer):
    """Counts what a pool does."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def ran(self, batches: Sequence[Batch], owners: Sequence[object]) -> None:  # noqa: ARG002
        for batch in batches:
            self._metrics.batch(batch)

    def failed(self, networks: int) -> None:
        self._metrics.failed(networks)

    def restarted(self, reason: str) -> None:
        self._metrics.restarted(reason)

    def dropped(self, reason: Literal["late", "gone"], images: int) -> None:
        self._metrics.dropped(reason, images)
