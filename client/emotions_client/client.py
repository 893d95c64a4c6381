"""The synchronous client."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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


class Client:
    """A client that threads may share. `key` is the API key, if the service needs one.

    `transport` is for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        retry: Retry | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"x-api-key": key} if key else {},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=None),
            transport=transport,
        )
        self._retry = retry or Retry()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def models(self) -> tuple[Model, ...]:
        """Return the models that the service runs."""
        return self._send(ModelList, method="GET", url="v1/models").models

    def analyze(self, *images: Source, **options: Unpack[Options]) -> Answer:
        """Send images, as paths, bytes, `Image`s or `Url`s, in one request; see `Options`.

        If one of several images is bad, its result has an `error`.

        Raises:
            RefusedError: the service answered with an error.
            UnreachableError: no attempt got a response.
            OSError: a file cannot be read.
        """
        return self._send(Answer, **analyze_request(images, options))

    def analyze_each(self, *images: Source, **options: Unpack[Options]) -> Iterator[ImageResult]:
        """Send images in one request, and yield each result, in order, as soon as it is done.

        After an answer that was cut off, the rest is requested again. Closing the iterator stops
        the work of the service. Errors are those of `analyze`.
        """
        answer = StreamedAnswer(images, options, self._retry)
        pause: float | None = 0.0
        while pause is not None:
            time.sleep(pause)
            outcome: Outcome
            try:
                with self._http.stream(**answer.request()) as outcome:
                    if outcome.is_success:
                        for data in outcome.iter_bytes():
                            yield from answer.results(data)
                    else:
                        outcome.read()
            except httpx.TransportError as error:
                outcome = error
            pause = answer.pause_after(outcome)
        yield from answer.finish()

    def stream(
        self, images: Iterable[Source], *, concurrency: int = 8, **options: Unpack[Options]
    ) -> Iterator[ImageResult]:
        """Send one request per image, `concurrency` at a time; yield results in order.

        At most `concurrency` images are read ahead. `options` are those of `analyze`. Closing the
        iterator waits for the pending requests, but does not send them again.

        Raises:
            RefusedError: an error other than that of one image, which is in its result.
            UnreachableError: no attempt got a response.
        """
        pending: deque[Future[ImageResult]] = deque()
        closed = threading.Event()
        threads = ThreadPoolExecutor(concurrency, thread_name_prefix="emotions")
        try:
            for image in images:
                pending.append(threads.submit(self._analyze_one, image, options, closed))
                if len(pending) >= concurrency:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            closed.set()
            threads.shutdown(cancel_futures=True)

    def stream_folder(
        self, folder: Path, *, concurrency: int = 8, **options: Unpack[Options]
    ) -> Iterator[ImageResult]:
        """Analyze all images in a folder and its subfolders; see `stream`. The ids are paths.

        A file or subfolder that cannot be read has a result with an error.

        Raises:
            OSError: the folder itself cannot be read.
        """
        return self.stream(images_in(folder), concurrency=concurrency, **options)

    def _analyze_one(self, image: Source, options: Options, closed: threading.Event) -> ImageResult:
        outcome: Answer | RefusedError | OSError
        try:
            outcome = self._send(Answer, closed, **analyze_request([image], options))
        except (RefusedError, OSError) as error:
            outcome = error
        return result_of(image, outcome)

    def _send(self, kind: type[T], closed: threading.Event | None = None, **request: Any) -> T:
        """Send a request until it succeeds, attempts run out, or `closed` is set."""
        closed = closed or threading.Event()
        attempt = 0
        while True:
            outcome: Outcome
            try:
                outcome = self._http.request(**request)
            except httpx.TransportError as error:
                outcome = error
            pause = self._retry.pause(attempt, outcome)
            if pause is None or closed.wait(pause):
                return decode(outcome, kind)
            attempt += 1
