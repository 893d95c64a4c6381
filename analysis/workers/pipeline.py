"""The pool of workers as a coroutine from an image to its result."""

import asyncio
import resource
import time
from functools import partial

from analysis.errors import EmbedderMissingError, ServiceError
from analysis.types import Input, Options, Result, Source
from analysis.workers.pool import Pool

# Maximum wait in seconds for workers to end, before they are killed and again after.
END_S = 5.0
POLL_S = 0.02


class Pipeline:
    """Analyzes images in the workers of a pool.

    networks: the tasks of the networks; labels: of the emotion network; workers: how many workers
    the pool has; embeds: whether there is an embedder.
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
        """For each network, whether a worker is ready to run it."""
        return dict.fromkeys(self._networks, self.pool.ready)

    def start(self) -> None:
        """Start the workers; call this in the event loop that `analyze` runs in."""
        _raise_file_limit()
        self.pool.start(asyncio.get_running_loop())

    async def close(self) -> None:
        """End all workers at the same time. Await the results of all images before the call."""
        self.pool.stop()
        await self._wait()
        self.pool.kill()
        await self._wait()

    async def _wait(self) -> None:
        end = time.monotonic() + END_S
        while self.pool.alive and time.monotonic() < end:  # noqa: ASYNC110  (processes end)
            await asyncio.sleep(POLL_S)

    async def analyze(
        self, source: Source, options: Options, deadline: float, owner: object = None
    ) -> Result:
        """Find the faces of one image.

        deadline: seconds on `time.monotonic`'s clock; owner: passed on to the pool's observers with
        each batch of this image. An error of the image is the outcome of the result.

        Raises:
            EmbedderMissingError: embeddings are requested, and there is no embedder.
            ServiceError: no worker analyzed the image before the deadline.
        """
        if options.embeddings and not self.embeds:
            raise EmbedderMissingError(
                "this service has no plan of an embedder; its operator runs `emotions build`, and "
                "starts the service again"
            )
        future = asyncio.get_running_loop().create_future()
        done = partial(_settle, future)
        job = self.pool.submit(Input(source, options), deadline, done, owner)
        try:
            found: Result | ServiceError = await future
        finally:
            job.cancelled = True
        if isinstance(found, ServiceError):
            raise found
        return found


def _settle(future: asyncio.Future[Result | ServiceError], found: Result | ServiceError) -> None:
    """Set the result, unless the task that waits for it has just been cancelled."""
    if not future.done():
        future.set_result(found)


def _raise_file_limit() -> None:
    """Raise the limit of open files to its maximum, also for the workers that start after this.

    Each connection of a client uses one, and each worker many: a dozen or more in its device.
    """
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))
