"""The images of a request, the error if there are too many, and what analyzes them."""

from typing import NamedTuple, Protocol

import httpx

from analysis.errors import TooLargeError
from analysis.types import Options, Result, Source


class EncodedImage(NamedTuple):
    """The bytes of an image file, and the id of its result."""

    id: str
    data: bytes


class ImageUrl(NamedTuple):
    """The URL of an image, and the id of its result."""

    id: str
    url: httpx.URL


class InvalidImage(NamedTuple):
    """A malformed image of a request: the id of its result, and what is wrong."""

    id: str
    reason: str


RequestImage = EncodedImage | ImageUrl | InvalidImage


class ImagePipeline(Protocol):
    """What analyzes images: `analysis.workers.pipeline.Pipeline`, or one on other machines."""

    @property
    def workers(self) -> int:
        """How many images are analyzed at the same time."""

    @property
    def ready(self) -> dict[str, bool]:
        """For each network, whether a worker is ready to run it."""

    def start(self) -> None:
        """Start; called in the event loop that `analyze` runs in."""

    async def close(self) -> None:
        """Stop, after the results of all images."""

    async def analyze(
        self, source: Source, options: Options, deadline: float, owner: object = None
    ) -> Result:
        """Find the faces of one image; see `Pipeline.analyze`."""


def too_many_images(limit: int) -> TooLargeError:
    """Return the error of a request with more than `limit` images."""
    return TooLargeError(f"the request has more than {limit} images, which is the limit")
