"""Sums the metrics of several HTTP processes into those of one service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from socket import AF_UNIX, socket
from typing import Protocol

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from analysis.workers.replica import Replica
from service.telemetry.metrics import Metrics

# The maximum of these metrics is taken: they are equal in all processes, or are start times. All
# others are summed.
MAXIMUM = {
    "emotions_ready",
    "emotions_batch_limit_items",
    "process_start_time_seconds",
    "process_max_fds",
}
TIMEOUT_S = 1.0


class AllMetrics(Protocol):
    """The metrics of all processes of a service."""

    def serving(self) -> AbstractAsyncContextManager[None]:
        """During the block, let the other processes read our own metrics."""

    async def render(self) -> bytes:
        """Return the metrics of all processes that answer."""


class MultiprocessMetrics:
    """Reads the metrics of all processes over Unix sockets that only they know."""

    def __init__(self, metrics: Metrics, replica: Replica) -> None:
        self._metrics, self._replica = metrics, replica

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """During the block, serve our own metrics to the other processes."""
        if not self._replica.metrics_listeners:
            yield
            return
        listener = self._replica.metrics_listeners[self._replica.number].dup()
        async with await asyncio.start_unix_server(self._answer, sock=listener):
            yield

    async def render(self) -> bytes:
        """Return the metrics of all processes that answer."""
        own, number = self._metrics.render(), self._replica.number
        others = [each for i, each in enumerate(self._replica.metrics_listeners) if i != number]
        if not others:
            return own
        texts = await asyncio.gather(*(_fetch(each) for each in others))
        return merge([own.decode(), *texts])

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._metrics.render())
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


async def _fetch(listener: socket) -> str:
    """Return the metrics of another process, or nothing if it does not answer."""
    connection = socket(AF_UNIX)
    try:
        connection.connect(listener.getsockname())
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(sock=connection)
            text = (await reader.read()).decode()
            writer.close()
            return text
    except (OSError, TimeoutError):
        return ""


def merge(texts: Iterable[str]) -> bytes:
    """Merge metrics in text format; samples with the same name and labels become one."""
    families = _Families()
    for text in texts:
        for family in text_string_to_metric_families(text):
            families.add(family)
    return generate_latest(families)


class _Families(Collector):
    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}

    def add(self, family: Metric) -> None:
        """Merge the samples of a family into those added before."""
        into = self._families.setdefault(
            family.name, Metric(family.name, family.documentation, family.type)
        )
        combine = max if family.name in MAXIMUM or family.name.endswith("_info") else _add
        places = {(sample.name, *sample.labels.items()): i for i, sample in enumerate(into.samples)}
        for sample in family.samples:
            place = places.get((sample.name, *sample.labels.items()))
            if place is None:
                into.samples.append(sample)
            else:
                value = combine(into.samples[place].value, sample.value)
                into.samples[place] = sample._replace(value=value)

    def collect(self) -> Iterable[Metric]:
        return self._families.values()


def _add(one: float, other: float) -> float:
    return one + other
