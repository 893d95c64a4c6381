"""A Prometheus that scrapes all ports on which a pod may run."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from bench.load.client import Connection, request

CONFIGURATION = """
global: {{scrape_interval: {interval_ms}ms, scrape_timeout: {interval_ms}ms}}
scrape_configs:
  - job_name: emotions
    static_configs: [{{targets: {targets}}}]
"""


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self._connection = Connection(f"http://127.0.0.1:{port}")

    async def ready(self) -> bool:
        """Whether it answers queries."""
        return (await self._connection.send(request(path="/-/ready", method="GET"))).status == 200

    async def query(self, query: str) -> float | None:
        """The value of a query with one element; None if it has none now."""
        path = f"/api/v1/query?query={quote(query)}"
        reply = await self._connection.send(request(path=path, method="GET"))
        if reply.status != 200:
            raise ValueError(f"Prometheus rejects {query}: {reply.body.decode()}")
        found = json.loads(reply.body)["data"]["result"]
        if len(found) > 1:
            raise ValueError(f"{query} has {len(found)} elements")
        values = [float(each["value"][1]) for each in found]
        return next(filter(math.isfinite, values), None)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@asynccontextmanager
async def scraping(
    folder: Path, port: int, targets: Iterable[str], interval_s: float
) -> AsyncIterator[Prometheus]:
    """Run Prometheus in the block.

    The targets are fixed, and most of them are down: Prometheus looks for new targets only every
    five seconds, and this cannot be divided by the factor of the trial.
    """
    file = folder / "prometheus.yml"
    interval_ms = round(1000 * interval_s)
    text = CONFIGURATION.format(interval_ms=interval_ms, targets=json.dumps(list(targets)))
    file.write_text(text)
    process = await asyncio.create_subprocess_exec(
        *("prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/data"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"),
    )
    prometheus = Prometheus(port)
    try:
        while not await prometheus.ready():
            if process.returncode is not None:
                raise RuntimeError(f"Prometheus ended with {process.returncode}")
            await asyncio.sleep(0.05)
        yield prometheus
    finally:
        prometheus.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()
