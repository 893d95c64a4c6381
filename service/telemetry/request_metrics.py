"""Metrics of HTTP requests, their images and their API keys."""

from collections.abc import Callable
from functools import cache

import service.errors  # noqa: F401  (defines codes, too)
from analysis import errors
from service.telemetry.registry import Registry
from service.telemetry.stats import RequestStats


class RequestMetrics:
    """Counts requests by path, status, problem code and API key."""

    def __init__(self, registry: Registry) -> None:
        self._define_requests(registry)
        self._define_images(registry)
        self._define_keys(registry)

    def _define_requests(self, registry: Registry) -> None:
        requests = registry.counter("requests", "HTTP requests", ["path", "status"])
        seconds = registry.histogram(
            "request_seconds", "Time from a request to its answer", ["path"]
        )
        stages = registry.histogram(
            "stage_seconds", "Time of a request or an image in a stage", ["stage"]
        )
        # A lookup by labels takes longer than the count itself.
        self._requests = cache(requests.labels)
        self._seconds = cache(seconds.labels)
        self._stage_seconds = cache(stages.labels)
        self._received = registry.counter("received_bytes", "Bytes of request bodies")
        self._refused = registry.counter(
            "refused_requests", "Requests answered with a problem, by its code", ["code"]
        )
        for kind in errors.kinds():  # a series that starts at 0 shows its first increase
            self._refused.labels(kind.code)

    def _define_images(self, registry: Registry) -> None:
        self._images = registry.counter(
            "images", "Images by outcome: ok or the code of a problem", ["outcome"]
        )
        self._faces = registry.counter("faces", "Faces found")
        self._under_way = registry.gauge("images_under_way", "Images between admission and answer")
        self._under_way_limit = registry.gauge(
            "images_under_way_limit", "Maximum number of images under way"
        )
        self._bytes = registry.gauge("held_bytes", "Bytes in memory of unanswered requests")
        self._bytes_limit = registry.gauge(
            "held_bytes_limit", "Maximum bytes in memory of unanswered requests"
        )

    def _define_keys(self, registry: Registry) -> None:
        self._key_requests = registry.counter(
            "key_requests", "Requests by name of API key and outcome", ["key", "outcome"]
        )
        self._key_images = registry.counter("key_images", "Images by name of API key", ["key"])
        self._key_received = registry.counter(
            "key_received_bytes", "Bytes of request bodies by name of API key", ["key"]
        )

    def count_request(self, path: str, status: int, seconds: float, stats: RequestStats) -> None:
        """Count an answered request."""
        self._requests(path, status).inc()
        self._seconds(path).observe(seconds)
        self._received.inc(stats.received)
        for stage, started, ended in stats.samples:
            self._stage_seconds(stage).observe(ended - started)
        if stats.code is not None:
            self.count_refusal(stats.code)
        if stats.key is not None:
            self._key_requests.labels(stats.key, stats.code or "ok").inc()
            self._key_images.labels(stats.key).inc(stats.images)
            self._key_received.labels(stats.key).inc(stats.received)

    def count_refusal(self, code: str) -> None:
        """Count a request that was answered with a problem."""
        self._refused.labels(code).inc()

    def count_image(self, outcome: str, faces: int) -> None:
        """Count an image; `outcome` is ok or the code of its problem."""
        self._images.labels(outcome).inc()
        self._faces.inc(faces)

    def export_images(self, under_way: Callable[[], int], limit: int) -> None:
        """Export the number of images under way, read at each scrape, and its limit."""
        self._under_way.set_function(under_way)
        self._under_way_limit.set(limit)

    def export_bytes(self, count: Callable[[], int], limit: int) -> None:
        """Export the bytes in memory, read at each scrape, and their limit."""
        self._bytes.set_function(count)
        self._bytes_limit.set(limit)
