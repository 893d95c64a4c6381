"""Requests: images and options, encoded for the service."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

_ENCODER = msgspec.msgpack.Encoder()


class Image(NamedTuple):
    """An encoded image, and the id of its result."""

    id: str
    data: bytes


class Url(NamedTuple):
    """The URL of an image that the service fetches, if its operator allows it, and an id."""

    id: str
    url: str


Source = Path | bytes | Image | Url


class Options(NamedTuple):
    """Options of a request; with None the service uses its default."""

    min_score: float | None = None
    max_faces: int | None = None
    embeddings: bool = False
    labels: Sequence[str] | None = None

    def query(self) -> dict[str, str]:
        """Return the query parameters."""
        given = {
            "min_score": None if self.min_score is None else str(self.min_score),
            "max_faces": None if self.max_faces is None else str(self.max_faces),
            "embeddings": "true" if self.embeddings else None,
            "labels": None if self.labels is None else ",".join(self.labels),
        }
        return {name: value for name, value in given.items() if value is not None}


def analyze_request(images: Sequence[Source], options: Options) -> dict[str, Any]:
    """Return the arguments of `httpx.Client.request` for one request. Reads the files."""
    frames = [load(image, i)._asdict() for i, image in enumerate(images)]
    return {
        "method": "POST",
        "url": "v1/emotions",
        "params": options.query(),
        "content": _ENCODER.encode({"images": frames}),
        "headers": {"content-type": "application/msgpack"},
    }


def stream_request(images: Sequence[Source], options: Options) -> dict[str, Any]:
    """Return the same arguments for an answer as JSON Lines."""
    request = analyze_request(images, options)
    request["headers"]["accept"] = "application/jsonl"
    return request


def load(image: Source, index: int) -> Image | Url:
    """Read an image, if it is a file, and name it."""
    name = name_of(image, index)
    if isinstance(image, Image | Url):
        return image._replace(id=name)
    return Image(name, image if isinstance(image, bytes) else image.read_bytes())


def name_of(image: Source, index: int) -> str:
    r"""Return the id of the result of an image.

    An id is text, but a file name may be any bytes: those that are not UTF-8 become `\udcXX`.
    """
    if isinstance(image, bytes):
        return str(index)
    name = str(image) if isinstance(image, Path) else image.id
    return name.encode(errors="backslashreplace").decode()
