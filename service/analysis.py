"""A request's images through the pipeline, side by side."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

from service.bodies import Encoded, Sent
from service.errors import (
    CorruptImage,
    FetchFailed,
    InferenceFailed,
    ServiceError,
    TooLarge,
    UnsupportedMediaType,
    UrlRefused,
)
from service.fetch import Budget, Fetcher
from service.held import Hold
from service.metrics import Metrics
from service.pipeline import Analysis, Pipeline
from service.record import current, timed
from service.stages import Options
from service.waiting import until

Outcome = Analysis | ServiceError
# What is wrong with one image of several is told with that image; the others get their faces.
OF_ONE_IMAGE = (
    TooLarge,
    UnsupportedMediaType,
    CorruptImage,
    InferenceFailed,
    UrlRefused,
    FetchFailed,
)


class Asked(NamedTuple):
    """What one request asks for; its deadline is on `time.monotonic`'s clock."""

    images: list[Sent]
    options: Options
    deadline: float
    hold: Hold


class Analyst:
    """Fetches what is to be fetched, and lets the pipeline find the faces."""

    def __init__(
        self, pipeline: Pipeline, metrics: Metrics, fetcher: Fetcher, max_bytes: int
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._fetcher = fetcher
        self._max_bytes = max_bytes

    async def all(self, asked: Asked) -> list[Outcome]:
        """Analyze all images; what fails for all of them leaves no work behind.

        Raises:
            ServiceError: of the whole request, or of its only image.
        """
        async with until(asked.deadline):
            if len(asked.images) == 1:
                return [await self._only(asked)]
            with self._under_way(asked) as work:
                outcomes = await asyncio.gather(*work)
        return outcomes

    async def each(self, asked: Asked) -> AsyncGenerator[Outcome, None]:
        """Analyze all images and yield each outcome, in order, as soon as it is there.

        Raises:
            ServiceError: of the whole request, or of its only image.
        """
        with self._under_way(asked) as work:
            for task in work:
                async with until(asked.deadline):
                    outcome = await task
                yield _unless_only(outcome, asked)

    async def _only(self, asked: Asked) -> Outcome:
        """As `_under_way`, without the cost of a task; most requests have one image."""
        with self._pipeline.gate.admit(1, asked.deadline):
            outcome = await self._one(asked.images[0], asked, Budget(self._max_bytes, asked.hold))
        return _unless_only(outcome, asked)

    @contextmanager
    def _under_way(self, asked: Asked) -> Iterator[list[asyncio.Task[Outcome]]]:
        """Start a task an image; what is not done when the block ends is cancelled.

        The images' places are free again when all is done, not when the last answer was read.
        """
        budget = Budget(self._max_bytes, asked.hold)
        with ExitStack() as places:
            places.enter_context(self._pipeline.gate.admit(len(asked.images), asked.deadline))
            work = [asyncio.create_task(self._one(i, asked, budget)) for i in asked.images]
            done = asyncio.gather(*work, return_exceptions=True)
            done.add_done_callback(partial(_ended, places))
            try:
                yield work
            finally:
                done.cancel()

    async def _one(self, image: Sent, asked: Asked, budget: Budget) -> Outcome:
        try:
            if isinstance(image, Encoded):
                data = image.data
            else:
                with timed("fetch"):
                    data = await self._fetcher.fetch(image.url, budget)
            result = await self._pipeline.analyze(data, asked.options, asked.deadline)
        except OF_ONE_IMAGE as error:
            self._count(error.code, 0)
            return error
        self._count("ok", len(result.scores))
        return result

    def _count(self, outcome: str, faces: int) -> None:
        self._metrics.images.labels(outcome).inc()
        self._metrics.faces.inc(faces)
        if (record := current()) is not None:
            record.images += 1
            record.faces += faces


def _ended(places: ExitStack, done: asyncio.Future[list[object]]) -> None:
    if not done.cancelled():
        done.exception()  # asked for, or asyncio logs as lost that the rest was cancelled
    places.close()


def _unless_only(outcome: Outcome, asked: Asked) -> Outcome:
    """An outcome; the error of a request's only image is that of the request."""
    if len(asked.images) == 1 and isinstance(outcome, ServiceError):
        raise outcome
    return outcome
