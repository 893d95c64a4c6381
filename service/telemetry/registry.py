"""Makes Prometheus metrics with our prefix, in a registry of its own per service.

A registry per service lets tests run several services in one process.
"""

from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
Labels = Sequence[str]


class Registry:
    """A registry whose metrics start with `emotions_`."""

    def __init__(self) -> None:
        self.collectors = CollectorRegistry()

    def counter(self, name: str, text: str, labels: Labels = ()) -> Counter:
        """Make a counter."""
        return Counter(f"emotions_{name}", text, labels, registry=self.collectors)

    def gauge(self, name: str, text: str, labels: Labels = ()) -> Gauge:
        """Make a gauge."""
        return Gauge(f"emotions_{name}", text, labels, registry=self.collectors)

    def info(self, name: str, text: str, labels: Labels = ()) -> Info:
        """Make a gauge that is always 1; its labels have the information."""
        return Info(f"emotions_{name}", text, labels, registry=self.collectors)

    def histogram(
        self, name: str, text: str, labels: Labels, buckets: Sequence[float] = SECONDS
    ) -> Histogram:
        """Make a histogram, by default of seconds."""
        return Histogram(
            f"emotions_{name}", text, labels, buckets=buckets, registry=self.collectors
        )
