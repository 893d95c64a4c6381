"""Requests and answers as bytes: what the sync and the async client share."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
import msgspec

from emotions_client.errors import RefusedError, UnreachableError
from emotions_client.results import Answer, ImageError, ImageResult

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
# What the service says of an image, not of the request.
OF_THE_IMAGE = {
    "corrupt_image",
    "unsupported_media",
    "too_large",
    "inference_failed",
    "url_refused",
    "fetch_failed",
}
# What msgspec raises of bytes that are not JSON, or JSON of another shape.
NOT_OURS = (msgspec.MsgspecError, UnicodeDecodeError)
T = TypeVar("T")
_ENCODER = msgspec.msgpack.Encoder()


class Problem(msgspec.Struct):
    """RFC 9457 problem details, as the service gives them."""

    code: str
    detail: str
    request_id: str = ""
    status: int = 500


class Image(NamedTuple):
    """An encoded image with a name of your own for its result."""

    id: str
    data: bytes


class Url(NamedTuple):
    """Where the service shall fetch an image, if its operator allows it, with a name of yours."""

    id: str
    url: str


Given = Path | bytes | Image | Url


class Options(NamedTuple):
    """What to ask for; None leaves it to the service."""

    min_score: float | None = None
    max_faces: int | None = None
    embeddings: bool = False
    labels: Sequence[str] | None = None


def analyze_request(images: Sequence[Given], options: Options) -> dict[str, Any]:
    """The arguments of httpx's `request` for one call of /v1/emotions. Reads the files."""
    frames = [load(image, i)._asdict() for i, image in enumerate(images)]
    params: dict[str, str] = {}
    if options.min_score is not None:
        params["min_score"] = str(options.min_score)
    if options.max_faces is not None:
        params["max_faces"] = str(options.max_faces)
    if options.embeddings:
        params["embeddings"] = "true"
    if options.labels is not None:
        params["labels"] = ",".join(options.labels)
    return {
        "method": "POST",
        "url": "v1/emotions",
        "params": params,
        "content": _ENCODER.encode({"images": frames}),
        "headers": {"content-type": "application/msgpack"},
    }


def lines_request(images: Sequence[Given], options: Options) -> dict[str, Any]:
    """The same, for an answer as lines."""
    request = analyze_request(images, options)
    request["headers"]["accept"] = "application/jsonl"
    return request


def load(image: Given, index: int) -> Image | Url:
    """An image as it is sent; reads a file."""
    name = name_of(image, index)
    if isinstance(image, Image | Url):
        return image._replace(id=name)
    return Image(name, image if isinstance(image, bytes) else image.read_bytes())


def name_of(image: Given, index: int) -> str:
    r"""The id of an image's result.

    Names of files may be any bytes, and an id is text: those that are not UTF-8 become `\udcXX`.
    """
    if isinstance(image, bytes):
        return str(index)
    name = str(image) if isinstance(image, Path) else image.id
    return name.encode(errors="backslashreplace").decode()


def read(outcome: httpx.Response | httpx.TransportError, kind: type[T]) -> T:
    """Decode an answer.

    Raises:
        RefusedError: it is an error, a problem document or whatever stands between gives.
        UnreachableError: there is none.
    """
    if isinstance(outcome, httpx.TransportError):
        raise UnreachableError(str(outcome) or type(outcome).__name__) from outcome
    status = outcome.status_code
    try:
        if outcome.is_success:
            return msgspec.json.decode(outcome.content, type=kind)
        told = msgspec.json.decode(outcome.content, type=Problem)
    except NOT_OURS:
        detail = f"not an answer of the service: {outcome.reason_phrase}"
        raise RefusedError(status, "not_the_service", detail, "") from None
    raise RefusedError(status, told.code, told.detail, told.request_id)


def result_of(image: Given, outcome: Answer | RefusedError | OSError) -> ImageResult:
    """One image's result, where it is the only one of its request.

    Raises:
        RefusedError: for another reason than the image.
    """
    if isinstance(outcome, Answer):
        return outcome.images[0]
    if isinstance(outcome, OSError):
        error = ImageError("unreadable_file", f"cannot read the file: {outcome.strerror}")
    elif outcome.code in OF_THE_IMAGE:
        error = ImageError(outcome.code, outcome.detail)
    else:
        raise outcome
    return ImageResult(name_of(image, 0), 0, 0, (), error)


def images_in(folder: Path) -> Iterator[Path]:
    """The image files below a folder, in order, read a folder at a time.

    A folder below it that cannot be read is given itself: whoever loads it finds out why.

    Raises:
        OSError: `folder` cannot be read.
    """
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            try:
                yield from images_in(path)
            except OSError:
                yield path
        elif path.suffix.lower() in SUFFIXES and _may_be_file(entry):
            yield path


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # as it is for whoever reads it
        return True
