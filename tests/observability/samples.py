"""Samples of metrics, and what a server logged and counted after each kind of request."""

from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.photographs import ASTRONAUT_FILE

KEY = "6fe2e1c0-not-for-any-log"
WRONG = "a-key-that-nobody-gave"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ASTRONAUT = ASTRONAUT_FILE.read_bytes()
Samples = dict[str, list[tuple[dict[str, str], float]]]


class Watched(NamedTuple):
    """Samples by name, as labels and values; the log as text and by line."""

    samples: Samples
    log: str
    lines: list[dict[str, Any]]

    def value(self, name: str, **labels: str) -> float:
        """Return the value of the one sample of this name with at least these labels."""
        (value,) = (value for found, value in self.samples[name] if labels.items() <= found.items())
        return value

    def requests(self, status: int) -> list[dict[str, Any]]:
        """Return the lines of the access log with this status."""
        return [e for e in self.lines if e["event"] == "request" and e["status"] == status]


def read_samples(exposition: str) -> Samples:
    """Return the samples of an exposition by name."""
    found: Samples = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found
