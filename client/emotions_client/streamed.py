"""An answer as JSON Lines, over as many requests as it takes."""

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import msgspec

from emotions_client.errors import RefusedError
from emotions_client.requests import Image, Options, Source, Url, load, stream_request
from emotions_client.responses import (
    DECODE_ERRORS,
    Outcome,
    Problem,
    decode,
    not_the_service,
    result_of,
)
from emotions_client.results import ImageResult, Models
from emotions_client.retry import Retry


class End(msgspec.Struct):
    """How the answer ended."""

    images: int
    problem: Problem | None = None


class Line(msgspec.Struct):
    """The first line has `model`, the last line `end`; a result has neither."""

    model: Models | None = None
    end: End | None = None


class StreamedAnswer:
    """The results of a list of images.

    Results come in the order of the images. After an answer that was cut off, only the images
    without a result are requested again. For each request, call `request`, then `results` with
    each part of the response, then `pause_after`; at the end call `finish`.
    """

    def __init__(self, images: Sequence[Source], options: Options, retry: Retry) -> None:
        """Read the files among the images.

        Raises:
            OSError: a file cannot be read.
        """
        self._images = [load(image, i) for i, image in enumerate(images)]
        self._options, self._retry = options, retry
        self._received = self._received_before = self._attempt = 0
        self._failure: Outcome | None = None
        self._end: End | None = None
        self._rest = b""

    @property
    def _missing(self) -> list[Image | Url]:
        return self._images[self._received :]

    def request(self) -> dict[str, Any]:
        """Return the arguments of `httpx.Client.stream` for the images without a result."""
        self._end, self._rest, self._received_before = None, b"", self._received
        return stream_request(self._missing, self._options)

    def results(self, data: bytes) -> Iterator[ImageResult]:
        r"""Yield the results that the next bytes of a response complete.

        Only \n ends a line: names may contain the other line ends of Unicode.

        Raises:
            RefusedError: a line does not come from the service.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if (result := self._decode(line)) is not None:
                self._received += 1
                yield result

    def _decode(self, text: bytes) -> ImageResult | None:
        """Decode a line; return a result, or None for the first and the last line."""
        try:
            line = msgspec.json.decode(text, type=Line)
            if line.model is None and line.end is None:
                return msgspec.json.decode(text, type=ImageResult)
        except DECODE_ERRORS:
            raise not_the_service(200, "no result") from None
        self._end = line.end or self._end
        return None

    def pause_after(self, outcome: Outcome) -> float | None:
        """Return the seconds until the next request, or None if there is none.

        Raises:
            RefusedError: the last line does not come from the service.
        """
        self._failure = self._failure_of(outcome)
        if self._failure is None:
            return None
        if self._received > self._received_before:
            self._attempt = 0
        pause = self._retry.pause(self._attempt, self._failure)
        self._attempt += 1
        return pause

    def _failure_of(self, outcome: Outcome) -> Outcome | None:
        """Return why images have no result, in the form of a failed request, or None."""
        if isinstance(outcome, httpx.TransportError) or not outcome.is_success:
            return outcome
        if self._rest:
            self._decode(self._rest)
        if self._end is not None and self._end.problem is not None:
            problem = self._end.problem
            return httpx.Response(problem.status, content=msgspec.json.encode(problem))
        if self._end is None or self._missing:
            return httpx.RemoteProtocolError("the answer was cut off")
        return None

    def finish(self) -> Iterator[ImageResult]:
        """Yield the error of the last image, if that is why it has no result.

        Raises:
            RefusedError: the images without a result have another error.
            UnreachableError: there was no response.
        """
        if self._failure is None:
            return
        try:
            decode(self._failure, Line)
        except RefusedError as error:
            if len(self._missing) != 1 or len(self._images) == 1:
                raise
            yield result_of(self._missing[0], error)
