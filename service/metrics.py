"""Prometheus metrics of one service; a registry of its own, so that tests can have several."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

disable_created_metrics()  # type: ignore[no-untyped-call]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """What a service counts."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "emotions_requests", "HTTP requests", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "emotions_request_seconds",
            "Time from request to answer",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.images = Counter(
            "emotions_images", "Images by outcome", ["outcome"], registry=self.registry
        )
        self.faces = Counter("emotions_faces", "Faces found", registry=self.registry)
        self._batch = Histogram(
            "emotions_batch_items",
            "Items in a batch",
            ["network"],
            buckets=ITEMS,
            registry=self.registry,
        )
        self._waited = Histogram(
            "emotions_queue_seconds",
            "Time that a batch's oldest item waited",
            ["network"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._ran = Histogram(
            "emotions_batch_seconds",
            "Time that a batch took in its engine",
            ["network"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._queued = Gauge(
            "emotions_queued_items", "Items that wait", ["network"], registry=self.registry
        )
        self._engine = Info(
            "emotions_engine",
            "The engine and plan of a network",
            ["network"],
            registry=self.registry,
        )

    def batch_observer(self, network: str) -> Callable[[int, float, float], None]:
        """Return what a batcher calls after each batch: items, seconds waited, seconds run."""
        batch, waited, ran = (
            metric.labels(network) for metric in (self._batch, self._waited, self._ran)
        )

        def observe(size: int, seconds_waited: float, seconds_run: float) -> None:
            batch.observe(size)
            waited.observe(seconds_waited)
            ran.observe(seconds_run)

        return observe

    def watch_queue(self, network: str, queued: Callable[[], int]) -> None:
        """Export the length of a queue, asked for at each scrape."""
        self._queued.labels(network).set_function(queued)

    def describe_engine(self, network: str, **facts: str) -> None:
        """Export which engine and plan serve a network."""
        self._engine.labels(network).info(facts)

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)
