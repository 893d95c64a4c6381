"""Requests: images and options, encoded for the service."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

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


class Options(TypedDict, total=False):
    """Options of a request; without one, or with None, the service uses its default.

    min_score: minimum detection score of a face, 0 to 1; max_faces: maximum number per image;
    min_face: the smallest face to find, in pixels; orientation: `auto` also finds faces in images
    that are turned; min_quality: minimum quality of a face, 0 to 1; embeddings: add one to each
    face; labels: compute the softmax over these only.
    """

    min_score: float | None
    max_faces: int | None
    min_face: int | Literal["auto", "fast"] | None
    orientation: Literal["exif", "auto"] | None
    min_quality: float | None
    embeddings: bool | None
    labels: Sequence[str] | None


def query(options: Options) -> dict[str, str]:
    """Return the query parameters; the service answers to an unknown one with the nearest name."""
    return {name: _text(value) for name, value in options.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(value)
    return str(value)


def analyze_request(images: Sequence[Source], options: Options) -> dict[str, Any]:
    """Return the arguments of `httpx.Client.request` for one request. Reads the files."""
    frames = [load(image, i)._asdict() for i, image in enumerate(images)]
    return {
        "method": "POST",
        "url": "v1/emotions",
        "params": query(options),
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
