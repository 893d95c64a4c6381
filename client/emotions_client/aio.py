"""The asynchronous client; methods and errors are those of `Client`."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from emotions_client import wire
from emotions_client.errors import RefusedError
from emotions_client.lines import Lines
from emotions_client.results import Answer, ImageResult, Model, ModelList
from emotions_client.retry import Retry
from emotions_client.wire import Given, Options

T = TypeVar("T")


class AsyncClient:
    """Asks a service from an event loop. `key` is the API key, if it wants one."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        retry: Retry | None = None,
    ) -> None:
        headers = {"x-api-key": key} if key else {}
        limits = httpx.Limits(max_connections=None)
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=timeout_s, limits=limits
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
        """The models that the service has in use."""
        return (await self._ask(ModelList, method="GET", url="v1/models")).models

    async def analyze(
        self,
        *images: Given,
        min_score: float | None = None,
        max_faces: int | None = None,
        embeddings: bool = False,
        labels: Sequence[str] | None = None,
    ) -> Answer:
        """Send images in one request; see `Client.analyze`."""
        options = Options(min_score, max_faces, embeddings, labels)
        request = await asyncio.to_thread(wire.analyze_request, images, options)
        return await self._ask(Answer, **request)

    async def analyze_each(
        self,
        *images: Given,
        min_score: float | None = None,
        max_faces: int | None = None,
        embeddings: bool = False,
        labels: Sequence[str] | None = None,
    ) -> AsyncIterator[ImageResult]:
        """Send images in one request, and yield each result; see `Client.analyze_each`."""
        options = Options(min_score, max_faces, embeddings, labels)
        lines = await asyncio.to_thread(Lines, images, options)
        attempt = 0
        while True:
            came, outcome = lines.came, None
            try:
                async with self._http.stream(**lines.request()) as answer:
                    if answer.is_success:
                        async for data in answer.aiter_bytes():
                            for result in lines.results(data):
                                yield result
                    else:
                        await answer.aread()
                outcome = lines.outcome(answer)
            except httpx.TransportError as error:
                outcome = lines.outcome(error)
            if outcome is None:
                return
            attempt = 0 if lines.came > came else attempt
            pause = self._retry.pause(attempt, outcome)
            if pause is None:
                yield lines.refused(outcome)
                return
            await asyncio.sleep(pause)
            attempt += 1

    async def stream(
        self, images: Iterable[Given], *, concurrency: int = 8, **options: Any
    ) -> AsyncIterator[ImageResult]:
        """Analyze images one a request, `concurrency` at once; see `Client.stream`."""
        under_way: deque[asyncio.Task[ImageResult]] = deque()
        try:
            for image in images:
                under_way.append(asyncio.create_task(self._one(image, options)))
                if len(under_way) >= concurrency:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def stream_folder(
        self, folder: Path, *, concurrency: int = 8, **options: Any
    ) -> AsyncIterator[ImageResult]:
        """Analyze all images below a folder; see `Client.stream_folder`."""
        return self.stream(wire.images_in(folder), concurrency=concurrency, **options)

    async def _one(self, image: Given, options: dict[str, Any]) -> ImageResult:
        outcome: Answer | RefusedError | OSError
        try:
            outcome = await self.analyze(image, **options)
        except (RefusedError, OSError) as error:
            outcome = error
        return wire.result_of(image, outcome)

    async def _ask(self, kind: type[T], **request: Any) -> T:
        attempt = 0
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = await self._http.request(**request)
            except httpx.TransportError as error:
                outcome = error
            pause = self._retry.pause(attempt, outcome)
            if pause is None:
                return wire.read(outcome, kind)
            await asyncio.sleep(pause)
            attempt += 1
