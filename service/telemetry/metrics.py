"""The Prometheus metrics of one service."""

from prometheus_client import ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from service.telemetry.pool_metrics import PoolMetrics
from service.telemetry.registry import Registry
from service.telemetry.request_metrics import RequestMetrics


class Metrics:
    """All metrics: those of HTTP requests, of the worker pool, and of this process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, version: str = "") -> None:
        made = Registry()
        self.registry = made.collectors
        self.requests = RequestMetrics(made)
        self.pool = PoolMetrics(made)
        made.info("build", "Version of the service").info({"version": version})
        ProcessCollector(registry=self.registry)

    def render(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
