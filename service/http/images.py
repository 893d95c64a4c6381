"""Analyzes the images of one request concurrently."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from analysis.errors import (
    CorruptImageError,
    InferenceError,
    MinFaceError,
    ServiceError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from analysis.types import Analysis, Options
from service.errors import FetchError, InvalidRequestError, UrlRefusedError
from service.http.admission import Reservation
from service.http.cancellation import cancel_at
from service.http.fetch import Budget, Fetcher
from service.http.throughput import Throughput
from service.http.types import EncodedImage, ImagePipeline, InvalidImage, RequestImage
from service.telemetry.request_metrics import RequestMetrics
from service.telemetry.stats import current_stats, timed

Outcome = Analysis | ServiceError
# Errors of one image: the other images of the request are still analyzed.
IMAGE_ERRORS = (
    TooLargeError,
    UnsupportedMediaTypeError,
    CorruptImageError,
    MinFaceError,
    InferenceError,
    InvalidRequestError,
    UrlRefusedError,
    FetchError,
)


class AnalysisRequest(NamedTuple):
    """The images of one request; `deadline` is on the clock of `time.monotonic`."""

    images: list[RequestImage]
    options: Options
    deadline: float
    reservation: Reservation


class RequestAnalyzer:
    """Fetches the images of a request from their URLs and analyzes them in the pipeline.

    The images that a request fetches have at most `max_bytes` together.
    """

    def __init__(
        self,
        pipeline: ImagePipeline,
        metrics: RequestMetrics,
        fetcher: Fetcher,
        throughput: Throughput,
        max_bytes: int,
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._fetcher = fetcher
        self._throughput = throughput
        self._max_bytes = max_bytes

    async def all(self, request: AnalysisRequest) -> list[Outcome]:
        """Analyze all images. An error of the whole request cancels the others.

        The caller cancels this at the deadline.

        Raises:
            ServiceError: an error of the whole request, or of its only image.
        """
        if len(request.images) == 1:
            return [await self._only(request)]
        with self._tasks(request) as tasks:
            return await asyncio.gather(*tasks)

    async def each(self, request: AnalysisRequest) -> AsyncGenerator[Outcome, None]:
        """Analyze all images; yield each outcome, in order, as soon as it is available.

        Raises:
            DeadlineExceededError: the deadline passed.
            ServiceError: an error of the whole request, or of its only image.
        """
        with self._tasks(request) as tasks:
            for task in tasks:
                async with cancel_at(request.deadline):
                    outcome = await task
                yield _raise_if_only(outcome, request)

    async def _only(self, request: AnalysisRequest) -> Outcome:
        """Analyze one image without the cost of a task: most requests have one image."""
        try:
            budget = Budget(self._max_bytes, request.reservation.add_bytes)
            outcome = await self._analyze(request.images[0], request, budget)
        finally:
            request.reservation.release_images()
        return _raise_if_only(outcome, request)

    @contextmanager
    def _tasks(self, request: AnalysisRequest) -> Iterator[list[asyncio.Task[Outcome]]]:
        """Start a task per image; cancel the unfinished ones at the end of the block.

        The images are released when all are done, not when the client has read the last answer.
        """
        budget = Budget(self._max_bytes, request.reservation.add_bytes)
        tasks = [
            asyncio.create_task(self._analyze(image, request, budget)) for image in request.images
        ]
        done = asyncio.gather(*tasks, return_exceptions=True)
        done.add_done_callback(partial(_release, request.reservation))
        try:
            yield tasks
        finally:
            done.cancel()

    async def _analyze(
        self, image: RequestImage, request: AnalysisRequest, budget: Budget
    ) -> Outcome:
        try:
            data = await self._data(image, budget)
            with self._throughput.measure():
                analysis = await self._run(data, request)
        except IMAGE_ERRORS as error:
            self._count(error.code, 0)
            return error
        self._count("ok", len(analysis.scores))
        return analysis

    async def _data(self, image: RequestImage, budget: Budget) -> bytes:
        if isinstance(image, EncodedImage):
            return image.data
        if isinstance(image, InvalidImage):
            raise InvalidRequestError(image.reason)
        with timed("fetch"):
            return await self._fetcher.fetch(image.url, budget)

    async def _run(self, data: bytes, request: AnalysisRequest) -> Analysis:
        stats = current_stats()
        result = await self._pipeline.analyze(data, request.options, request.deadline, stats)
        if stats is not None:
            stats.samples += result.samples
        return result.unwrap()

    def _count(self, outcome: str, faces: int) -> None:
        self._metrics.count_image(outcome, faces)
        if (stats := current_stats()) is not None:
            stats.images += 1
            stats.faces += faces


def _release(reservation: Reservation, done: asyncio.Future[list[object]]) -> None:
    if not done.cancelled():
        done.exception()  # asyncio logs exceptions that are never retrieved
    reservation.release_images()


def _raise_if_only(outcome: Outcome, request: AnalysisRequest) -> Outcome:
    """Raise the error of the only image: it is the error of the whole request."""
    if len(request.images) == 1 and isinstance(outcome, ServiceError):
        raise outcome
    return outcome
