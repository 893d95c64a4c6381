"""The metrics of all replicas, each with a label that names its replica."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from ray.serve.handle import DeploymentHandle

from emotions.ray.pipeline import broadcast


class ClusterMetrics:
    """Reads the metrics of all replicas of some deployments.

    They are not summed: a sum falls when a replica ends, and Prometheus takes that for a restart.
    """

    def __init__(self, *handles: DeploymentHandle) -> None:
        self._handles = handles

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Do nothing: Ray calls `metrics` of each replica."""
        yield

    async def render(self) -> bytes:
        """Return the metrics of all replicas that answer."""
        found = [await broadcast(handle, "metrics") for handle in self._handles]
        return labelled(each for replicas in found for each in replicas)


def labelled(replicas: Iterable[tuple[str, str]]) -> bytes:
    """Join metrics in text format, each given as name of the replica and text."""
    families = _Families()
    for name, text in replicas:
        for family in text_string_to_metric_families(text):
            families.add(name, family)
    return generate_latest(families)


class _Families(Collector):
    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}

    def add(self, replica: str, family: Metric) -> None:
        """Add the samples of a family, with the label `replica`."""
        into = self._families.setdefault(
            family.name, Metric(family.name, family.documentation, family.type)
        )
        into.samples += [
            sample._replace(labels={**sample.labels, "replica": replica})
            for sample in family.samples
        ]

    def collect(self) -> Iterable[Metric]:
        return self._families.values()
