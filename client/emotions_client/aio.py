"""The asynchronous client; methods and errors are those of `Client`."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack

import httpx

from emotions_client.errors import RefusedError
from emotions_client.files import images_in
from emotions_client.requests import Options, Source, analyze_request
from emotions_client.responses import Outcome, decode, result_of
from emotions_client.results import Answer, ImageResult, Model, ModelList
from emotions_client.retry import Retry
from emotions_client.streamed import StreamedAnswer

T = TypeVar("T")


class AsyncClient:
    """A client for an event loop. `key` is the API key, if the service needs one.

    `transport` is for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        retry: Retry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"x-api-key": key} if key else {},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=None),
            transport=transport,
        )
        self._retry = retry or Retry()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def models(self) -> tuple[Model, ...]:
        """Return the models that the service runs."""
        return (await self._send(ModelList, method="GET", url="v1/models")).models

    async def analyze(self, *images: Source, **options: Unpack[Options]) -> Answer:
        """Send images in one request; see `Client.analyze`."""
        request = await asyncio.to_thread(analyze_request, images, options)
        return await self._send(Answer, **request)

    async def analyze_each(
        self, *images: Source, **options: Unpack[Options]
    ) -> AsyncIterator[ImageResult]:
        """Send images in one request, and yield each result; see `Client.analyze_each`."""
        answer = await asyncio.to_thread(StreamedAnswer, images, options, self._retry)
        pause: float | None = 0.0
        while pause is not None:
            await asyncio.sleep(pause)
            outcome: Outcome
            try:
                async with self._http.stream(**answer.request()) as outcome:
                    if outcome.is_success:
                        async for data in outcome.aiter_bytes():
                            for result in answer.results(data):
                                yield result
                    else:
                        await outcome.aread()
            except httpx.TransportError as error:
                outcome = error
            pause = answer.pause_after(outcome)
        for result in answer.finish():
            yield result

    async def stream(
        self, images: Iterable[Source], *, concurrency: int = 8, **options: Unpack[Options]
    ) -> AsyncIterator[ImageResult]:
        """Send one request per image, `concurrency` at a time; see `Client.stream`.

        Closing the iterator cancels the pending requests.
        """
        pending: deque[asyncio.Task[ImageResult]] = deque()
        try:
            for image in images:
                pending.append(asyncio.create_task(self._analyze_one(image, options)))
                if len(pending) >= concurrency:
                    yield await pending.popleft()
            while pending:
                yield await pending.popleft()
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    def stream_folder(
        self, folder: Path, *, concurrency: int = 8, **options: Unpack[Options]
    ) -> AsyncIterator[ImageResult]:
        """Analyze all images in a folder; see `Client.stream_folder`."""
        return self.stream(images_in(folder), concurrency=concurrency, **options)

    async def _analyze_one(self, image: Source, options: Options) -> ImageResult:
        outcome: Answer | RefusedError | OSError
        try:
            outcome = await self.analyze(image, **options)
        except (RefusedError, OSError) as error:
            outcome = error
        return result_of(image, outcome)

    async def _send(self, kind: type[T], **request: Any) -> T:
        attempt = 0
        while True:
            outcome: Outcome
            try:
                outcome = await self._http.request(**request)
            except httpx.TransportError as error:
                outcome = error
            pause = self._retry.pause(attempt, outcome)
            if pause is None:
                return decode(outcome, kind)
            await asyncio.sleep(pause)
            attempt += 1
