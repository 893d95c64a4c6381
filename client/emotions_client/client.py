"""The synchronous client."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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


class Client:
    """Asks a service; may be shared by threads. `key` is the API key, if it wants one."""

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
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, limits=limits)
        self._retry = retry or Retry()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def models(self) -> tuple[Model, ...]:
        """The models that the service has in use."""
        return self._ask(ModelList, method="GET", url="v1/models").models

    def analyze(
        self,
        *images: Given,
        min_score: float | None = None,
        max_faces: int | None = None,
        embeddings: bool = False,
        labels: Sequence[str] | None = None,
    ) -> Answer:
        """Send images, as paths, bytes or `Image`s, in one request.

        Raises:
            RefusedError: the service said no; of several images a bad one has an `error` instead.
            UnreachableError: no connection, after all attempts.
            OSError: a file cannot be read.
        """
        options = Options(min_score, max_faces, embeddings, labels)
        return self._ask(Answer, **wire.analyze_request(images, options))

    def analyze_each(
        self,
        *images: Given,
        min_score: float | None = None,
        max_faces: int | None = None,
        embeddings: bool = False,
        labels: Sequence[str] | None = None,
    ) -> Iterator[ImageResult]:
        """Send images in one request, and yield each result, in order, as soon as it is done.

        What is left after an answer that was cut off is asked for again. Who stops early stops
        the service's work. Errors are those of `analyze`.
        """
        lines = Lines(images, Options(min_score, max_faces, embeddings, labels))
        attempt = 0
        while True:
            came, outcome = lines.came, None
            try:
                with self._http.stream(**lines.request()) as answer:
                    if answer.is_success:
                        for data in answer.iter_bytes():
                            yield from lines.results(data)
                    else:
                        answer.read()
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
            time.sleep(pause)
            attempt += 1

    def stream(
        self, images: Iterable[Given], *, concurrency: int = 8, **options: Any
    ) -> Iterator[ImageResult]:
        """Analyze images one a request, `concurrency` at once; results in their order.

        `images` is read no further ahead than that. `options` are those of `analyze`. Who stops
        early waits for the requests under way, and none of them is tried again.

        Raises:
            RefusedError: for another reason than one image, whose result would tell it.
            UnreachableError: no connection, after all attempts.
        """
        under_way: deque[Future[ImageResult]] = deque()
        asked, left = Options(**options), threading.Event()
        threads = ThreadPoolExecutor(concurrency, thread_name_prefix="emotions")
        try:
            for image in images:
                under_way.append(threads.submit(self._one, image, asked, left))
                if len(under_way) >= concurrency:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            left.set()
            threads.shutdown(cancel_futures=True)

    def stream_folder(
        self, folder: Path, *, concurrency: int = 8, **options: Any
    ) -> Iterator[ImageResult]:
        """Analyze all images below a folder; see `stream`. Results bear their paths.

        What cannot be read below the folder is a result with an error.

        Raises:
            OSError: the folder itself cannot be read.
        """
        return self.stream(wire.images_in(folder), concurrency=concurrency, **options)

    def _one(self, image: Given, options: Options, left: threading.Event) -> ImageResult:
        outcome: Answer | RefusedError | OSError
        try:
            outcome = self._ask(Answer, left, **wire.analyze_request([image], options))
        except (RefusedError, OSError) as error:
            outcome = error
        return wire.result_of(image, outcome)

    def _ask(self, kind: type[T], left: threading.Event | None = None, **request: Any) -> T:
        """Ask until there is an answer, or until `left` is set by who no longer waits for it."""
        left = left or threading.Event()
        attempt = 0
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = self._http.request(**request)
            except httpx.TransportError as error:
                outcome = error
            pause = self._retry.pause(attempt, outcome)
            if pause is None or left.wait(pause):
                return wire.read(outcome, kind)
            attempt += 1
