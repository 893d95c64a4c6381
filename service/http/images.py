"""Analyzes the images of one request side by side."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, Protocol

from analysis.analyze import Result
from analysis.errors import (
    CorruptImageError,
    InferenceError,
    ServiceError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from analysis.types import Analysis, Options, Source
from service.errors import FetchError, UrlRefusedError
from service.http.admission import Admitted
from service.http.body import Encoded, Sent
from service.http.fetch import Budget, Fetcher
from service.http.pace import Pace
from service.http.waiting import until
from service.telemetry.metrics import Metrics
from service.telemetry.record import current, timed

Outcome = Analysis | ServiceError
# Errors of one image of several: the other images keep their faces.
OF_ONE_IMAGE = (
    TooLargeError,
    UnsupportedMediaTypeError,
    CorruptImageError,
    InferenceError,
    UrlRefusedError,
    FetchError,
)


class Analyzer(Protocol):
    """The part of a pipeline that is used here."""

    async def analyze(
        self, source: Source, options: Options, deadline: float, owner: object = None
    ) -> Result:
        """Find the faces of one image."""


class Asked(NamedTuple):
    """What one request asks for; `deadline` is on the clock of `time.monotonic`."""

    images: list[Sent]
    options: Options
    deadline: float
    admitted: Admitted


class Analyst:
    """Fetches images from their URLs and has the pipeline find the faces."""

    def __init__(
        self, pipeline: Analyzer, metrics: Metrics, fetcher: Fetcher, pace: Pace, max_bytes: int
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._fetcher = fetcher
        self._pace = pace
        self._max_bytes = max_bytes

    async def all(self, asked: Asked) -> list[Outcome]:
        """Analyze all images. An error that ends the request cancels the others.

        The caller cancels this at the deadline.

        Raises:
            ServiceError: of the whole request, or of its only image.
        """
        if len(asked.images) == 1:
            return [await self._only(asked)]
        with self._under_way(asked) as work:
            return await asyncio.gather(*work)

    async def each(self, asked: Asked) -> AsyncGenerator[Outcome, None]:
        """Analyze all images and yield each outcome as soon as it is there, in order.

        Ends at the deadline.

        Raises:
            ServiceError: of the whole request, or of its only image.
        """
        with self._under_way(asked) as work:
            for task in work:
                async with until(asked.deadline):
                    outcome = await task
                yield _unless_only(outcome, asked)

    async def _only(self, asked: Asked) -> Outcome:
        """As `_under_way`, without the cost of a task: most requests have one image."""
        try:
            budget = Budget(self._max_bytes, asked.admitted.hold)
            outcome = await self._one(asked.images[0], asked, budget)
        finally:
            asked.admitted.finish()
        return _unless_only(outcome, asked)

    @contextmanager
    def _under_way(self, asked: Asked) -> Iterator[list[asyncio.Task[Outcome]]]:
        """Start a task per image; cancel those that are not done when the block ends.

        The places of the images are free when all are done, not when the last answer was read.
        """
        budget = Budget(self._max_bytes, asked.admitted.hold)
        work = [asyncio.create_task(self._one(image, asked, budget)) for image in asked.images]
        done = asyncio.gather(*work, return_exceptions=True)
        done.add_done_callback(partial(_finish, asked.admitted))
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
            with self._pace.measure():
                analysis = await self._analyze(data, asked)
        except OF_ONE_IMAGE as error:
            self._count(error.code, 0)
            return error
        self._count("ok", len(analysis.scores))
        return analysis

    async def _analyze(self, data: bytes, asked: Asked) -> Analysis:
        record = current()
        result = await self._pipeline.analyze(data, asked.options, asked.deadline, record)
        if record is not None:
            record.samples += result.samples
        return result.unwrap()

    def _count(self, outcome: str, faces: int) -> None:
        self._metrics.images.labels(outcome).inc()
        self._metrics.faces.inc(faces)
        if (record := current()) is not None:
            record.images += 1
            record.faces += faces


def _finish(admitted: Admitted, done: asyncio.Future[list[object]]) -> None:
    if not done.cancelled():
        done.exception()  # retrieve it: asyncio logs an exception that nobody retrieves
    admitted.finish()


def _unless_only(outcome: Outcome, asked: Asked) -> Outcome:
    """Raise the error of a request's only image: it is the error of the request."""
    if len(asked.images) == 1 and isinstance(outcome, ServiceError):
        raise outcome
    return outcome
