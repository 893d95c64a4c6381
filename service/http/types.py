"""The images of a request, and the error if there are too many."""

from typing import NamedTuple

import httpx

from analysis.errors import TooLargeError


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


def too_many_images(limit: int) -> TooLargeError:
    """Return the error of a request with more than `limit` images."""
    return TooLargeError(f"the request has more than {limit} images, which is the limit")
