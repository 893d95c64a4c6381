"""The metrics of several HTTP processes as those of one service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from socket import AF_UNIX, socket

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from analysis.workers.replica import Replica
from service.telemetry.metrics import Metrics

# Facts that are the same in every process, and the times at which they began; all else adds up.
LARGEST = {
    "emotions_ready",
    "emotions_batch_limit_items",
    "process_start_time_seconds",
    "process_max_fds",
}
WAIT_S = 1.0


class Summed:
    """Collects the metrics of all processes over sockets that only they know."""

    def __init__(self, metrics: Metrics, replica: Replica) -> None:
        self._metrics, self._replica = metrics, replica

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show our own metrics to the other processes until the block ends."""
        if not self._replica.metrics:
            yield
            return
        listener = self._replica.metrics[self._replica.number].dup()
        async with await asyncio.start_unix_server(self._answer, sock=listener):
            yield

    async def render(self) -> bytes:
        """The exposition text; a process that is just being replaced is left out."""
        own, number = self._metrics.render(), self._replica.number
        others = [each for i, each in enumerate(self._replica.metrics) if i != number]
        if not others:
            return own
        texts = await asyncio.gather(*(_fetch(each) for each in others))
        return summed([own.decode(), *texts])

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._metrics.render())
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


async def _fetch(listener: socket) -> str:
    """The exposition text of another process, or nothing where none answers."""
    connection = socket(AF_UNIX)
    try:
        connection.connect(listener.getsockname())
        async with asyncio.timeout(WAIT_S):
            reader, writer = await asyncio.open_unix_connection(sock=connection)
            text = (await reader.read()).decode()
            writer.close()
            return text
    except (OSError, TimeoutError):
        return ""


def summed(texts: Iterable[str]) -> bytes:
    """Add up exposition texts: each sample by its name and labels."""
    families = _Families()
    for text in texts:
        for family in text_string_to_metric_families(text):
            families.add(family)
    return generate_latest(families)


class _Families(Collector):
    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}

    def add(self, family: Metric) -> None:
        """Add the samples of a family to those that are here."""
        into = self._families.setdefault(
            family.name, Metric(family.name, family.documentation, family.type)
        )
        largest = family.name in LARGEST or family.name.endswith("_info")
        places = {(sample.name, *sample.labels.items()): i for i, sample in enumerate(into.samples)}
        for sample in family.samples:
            place = places.get((sample.name, *sample.labels.items()))
            if place is None:
                into.samples.append(sample)
                continue
            values = into.samples[place].value, sample.value
            total = max(values) if largest else sum(values)
            into.samples[place] = sample._replace(value=total)

    def collect(self) -> Iterable[Metric]:
        return self._families.values()
