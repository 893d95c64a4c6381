"""The pool of workers for asyncio: images in, faces out."""

import asyncio
import time
from functools import partial

from analysis.analyze import Result, Task
from analysis.errors import EmbedderMissingError, ServiceError
from analysis.types import Options, Source
from analysis.workers.pool import Pool

# Time for workers to end by themselves.
END_S = 5.0
POLL_S = 0.02


class Pipeline:
    """Analyzes images in the workers of a pool. `labels` are the emotion network's.

    `embeds` is whether there is an embedder, `workers` how many workers there should be.
    """

    def __init__(
        self, pool: Pool, *, networks: tuple[str, ...], labels: tuple[str, ...], workers: int
    ) -> None:
        self.labels, self.workers = labels, workers
        self.embeds = "embedder" in networks
        self.pool = pool
        self._networks = networks

    @property
    def ready(self) -> dict[str, bool]:
        """By network, whether a worker serves it."""
        return dict.fromkeys(self._networks, self.pool.ready)

    def start(self) -> None:
        """Start the workers; the running event loop is the one that calls back."""
        self.pool.start(asyncio.get_running_loop())

    async def close(self) -> None:
        """End the workers, all at once; what they have accepted is to be answered before."""
        self.pool.stop()
        await self._ended()
        self.pool.kill()
        await self._ended()

    async def _ended(self) -> None:
        end = time.monotonic() + END_S
        while self.pool.alive and time.monotonic() < end:  # noqa: ASYNC110  (processes end)
            await asyncio.sleep(POLL_S)

    async def analyze(
        self, source: Source, options: Options, deadline: float, owner: object = None
    ) -> Result:
        """Find the faces of one image; `deadline` is on the clock of `time.monotonic`.

        Observers of the pool get `owner` with each batch of this image. The outcome of the result
        may be an error of the image.

        Raises:
            EmbedderMissingError: embeddings are requested, and there is no embedder.
            ServiceError: no worker analyzed the image before the deadline.
        """
        if options.embeddings and not self.embeds:
            raise EmbedderMissingError(
                "this service has no embedder; its operator adds one with "
                "`emotions models pull w600k-mbf` and EMOTIONS_EMBEDDER=w600k-mbf, or by putting "
                "arcface-mobilefacenet.wts into tensorrtx/arcface; then `emotions build`"
            )
        future = asyncio.get_running_loop().create_future()
        done = partial(_settle, future)
        job = self.pool.submit(Task(source, options), deadline, done, owner)
        try:
            found: Result | ServiceError = await future
        finally:
            job.cancelled = True
        if isinstance(found, ServiceError):
            raise found
        return found


def _settle(future: asyncio.Future[Result | ServiceError], found: Result | ServiceError) -> None:
    """Set the result, unless whoever waits for it was cancelled a moment ago."""
    if not future.done():
        future.set_result(found)
