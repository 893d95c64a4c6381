"""A request's images through the pipeline: side by side, in time, while somebody waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.bodies import Encoded
from service.errors import (
    CorruptImage,
    DeadlineExceeded,
    InferenceFailed,
    ServiceError,
    TooLarge,
    UnsupportedMediaType,
)
from service.metrics import Metrics
from service.pipeline import Analysis, Options, Pipeline
from service.record import current

T = TypeVar("T")
Outcome = Analysis | ServiceError
# What is wrong with one image of several is told with that image; the others get their faces.
OF_ONE_IMAGE = (TooLarge, UnsupportedMediaType, CorruptImage, InferenceFailed)


@asynccontextmanager
async def until(deadline: float) -> AsyncIterator[None]:
    """Cancel the block at `deadline`, on `time.monotonic`'s clock.

    Raises:
        DeadlineExceeded: the block was not done by then.
    """
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            yield
    except TimeoutError as error:
        raise DeadlineExceeded("no result before the deadline") from error


async def unless_gone(request: Request, work: Coroutine[None, None, T]) -> T:
    """Do `work`, but stop when the client of `request`, whose body was read, hangs up.

    Raises:
        ClientDisconnect: nobody waits for the result any more.
    """
    doing = asyncio.create_task(work)
    gone = asyncio.create_task(_hung_up(request))
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnect
        return doing.result()
    finally:
        doing.cancel()
        gone.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def analyze_all(
    pipeline: Pipeline,
    metrics: Metrics,
    images: list[Encoded],
    options: Options,
    deadline: float,
) -> list[Outcome]:
    """Analyze images side by side; what fails for all of them leaves no work behind.

    Raises:
        ServiceError: of the whole request, or of its only image.
    """
    with pipeline.admit(len(images)):
        work = [
            asyncio.create_task(_analyze_one(pipeline, metrics, image.data, options, deadline))
            for image in images
        ]
        try:
            outcomes = await asyncio.gather(*work)
        finally:
            for task in work:
                task.cancel()
    if len(outcomes) == 1 and isinstance(outcomes[0], ServiceError):
        raise outcomes[0]
    return outcomes


async def _analyze_one(
    pipeline: Pipeline, metrics: Metrics, data: bytes, options: Options, deadline: float
) -> Outcome:
    try:
        result = await pipeline.analyze(data, options, deadline)
    except OF_ONE_IMAGE as error:
        _count(metrics, error.code, 0)
        return error
    _count(metrics, "ok", len(result.scores))
    return result


def _count(metrics: Metrics, outcome: str, faces: int) -> None:
    metrics.images.labels(outcome).inc()
    metrics.faces.inc(faces)
    if (record := current()) is not None:
        record.images += 1
        record.faces += faces
