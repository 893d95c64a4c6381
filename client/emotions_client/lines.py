"""A streamed answer: one request, whose results come a line each as soon as they are done."""

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import msgspec

from emotions_client import wire
from emotions_client.errors import RefusedError
from emotions_client.results import ImageResult, Models
from emotions_client.wire import Given, Image, Options, Problem, Url


class End(msgspec.Struct):
    """How the answer ended."""

    images: int
    problem: Problem | None = None


class Line(msgspec.Struct):
    """The first or the last line; a result has neither field."""

    model: Models | None = None
    end: End | None = None


class Lines:
    """What has come of a list of images, over as many requests as that takes.

    Results come in the order of the images, so that after an answer that was cut off only those
    left are asked for again.
    """

    def __init__(self, images: Sequence[Given], options: Options) -> None:
        self._images = [wire.load(image, i) for i, image in enumerate(images)]
        self._options = options
        self._came = 0
        self._problem: Problem | None = None
        self._whole = False
        self._rest = b""

    @property
    def came(self) -> int:
        """Results that have come."""
        return self._came

    @property
    def left(self) -> list[Image | Url]:
        """The images without a result."""
        return self._images[self._came :]

    def request(self) -> dict[str, Any]:
        """The arguments of httpx's `stream` for the images that are left."""
        self._problem, self._whole, self._rest = None, False, b""
        return wire.lines_request(self.left, self._options)

    def results(self, data: bytes) -> Iterator[ImageResult]:
        r"""The results that the answer's next bytes complete.

        Lines end in \n and nowhere else: names may hold all that Unicode ends lines with.

        Raises:
            RefusedError: a line is none that the service writes.
        """
        *whole, self._rest = (self._rest + data).split(b"\n")
        for text in whole:
            if (result := self._read(text)) is not None:
                self._came += 1
                yield result

    def _read(self, text: bytes) -> ImageResult | None:
        """Read one line; a result, or None for the first and the last."""
        try:
            line = msgspec.json.decode(text, type=Line)
            if line.model is None and line.end is None:
                return msgspec.json.decode(text, type=ImageResult)
        except wire.NOT_OURS:
            raise RefusedError(200, "not_the_service", "not a line of the service", "") from None
        if line.end is not None:
            self._whole, self._problem = True, line.end.problem
        return None

    def outcome(
        self, came: httpx.Response | httpx.TransportError
    ) -> httpx.Response | httpx.TransportError | None:
        """What a request ended with, for who decides whether to ask again; None if all is done.

        Raises:
            RefusedError: the answer ends in what is no line of the service.
        """
        if isinstance(came, httpx.TransportError) or not came.is_success:
            return came
        if self._rest:
            self._read(self._rest)
        if self._problem is not None:
            return httpx.Response(self._problem.status, content=msgspec.json.encode(self._problem))
        if not self._whole or self.left:
            return httpx.RemoteProtocolError("the answer was cut off")
        return None

    def refused(self, outcome: httpx.Response | httpx.TransportError) -> ImageResult:
        """The result of the only image left of several: its refusal is that of its request.

        Raises:
            RefusedError: the outcome is of another kind.
            UnreachableError: there was no answer.
        """
        try:
            wire.read(outcome, Line)
        except RefusedError as refused:
            if len(self.left) != 1 or len(self._images) == 1:
                raise
            result = wire.result_of(self.left[0], refused)
        self._came += 1
        return result
