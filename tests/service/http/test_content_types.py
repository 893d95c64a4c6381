"""The bytes of a body decide what it is; its content type only if they fit several kinds."""

import base64
import json

import msgspec
import pytest
from PIL import Image

from analysis import plugins
from bench.inputs.saving import saved
from tests.cases import Case
from tests.photographs import encode, group
from tests.server import Server
from tests.service.http.rows import PHOTO, Row, check, typed

plugins.load("JPEG XL")
# Its third byte is that of a brace.
JPEG_XL = saved(Image.new("RGB", (240, 240)), "JXL")
JSON = json.dumps({"images": [{"data": base64.b64encode(PHOTO).decode()}]})
PACKED = msgspec.msgpack.encode({"images": [{"data": PHOTO}]})
READ, ONE_FACE = "read", "read; 1 face"
INVALID = "400 `invalid_request`"
UNSUPPORTED = "415 `unsupported_media`"
CURL = "application/x-www-form-urlencoded"
SEND = 'send {"images": [{"data": "…"}]}'
PHOTO_OF = {name: encode(group(1, 1)[0], name) for name in ("JPEG", "PNG", "WEBP")}


def read(name: str, content_type: str, content: bytes = PHOTO) -> Row:
    return typed(Case(name, READ, ONE_FACE), content_type, content)


def refused(name: str, content_type: str, content: bytes, happens: str) -> Row:
    return typed(Case(name, "a typed error", happens), content_type, content)


ROWS = [
    *(read(f"an image as `{kind}`", kind) for kind in (
        "image/jpeg", "image/jpg", "image/pjpeg", "image/png", "image/*", "image/x-unknown",
        "IMAGE/JPEG; charset=binary", "application/octet-stream", "binary/octet-stream",
        "application/json", "application/msgpack", "multipart/form-data", "text/plain",
        "video/mp4", "*/*", "?",
    )),
    Row(Case("an image without a content type", READ, ONE_FACE), PHOTO),
    read("an image with an empty content type", ""),
    read(f"an image as `{CURL}` (curl `--data-binary`)", CURL),
    read("JSON as `application/json; charset=utf-8`", "application/json; charset=utf-8",
         JSON.encode()),
    *(read(f"JSON as `{kind}`", kind, JSON.encode()) for kind in (
        "application/vnd.api+json", "text/json", "application/x-json", "text/plain;charset=UTF-8",
        "image/jpeg", "application/octet-stream", "multipart/form-data",
    )),
    Row(Case("JSON without a content type", READ, ONE_FACE), JSON.encode()),
    read(f"JSON as `{CURL}` (curl `-d`)", CURL, JSON.encode()),
    read("JSON with a byte order mark", "application/json", JSON.encode("utf-8-sig")),
    read("JSON in UTF-16 with a byte order mark", "application/json", JSON.encode("utf-16")),
    read("JSON in UTF-16", "application/json; charset=utf-16", JSON.encode("utf-16-be")),
    read("JSON in UTF-32", "text/plain", JSON.encode("utf-32")),
    read("JSON after white space", "", b"\r\n \t" + JSON.encode()),
    *(read(f"MessagePack as `{kind}`", kind, PACKED) for kind in (
        "application/msgpack", "application/x-msgpack", "application/vnd.msgpack",
        "application/octet-stream",
    )),
    Row(Case("MessagePack without a content type", READ, ONE_FACE), PACKED),
    typed(Case("a JPEG XL that begins with `\\xff\\n{`", READ, "read; 0 faces"), "image/jxl",
          JPEG_XL),
    refused("text as `text/plain`", "text/plain", b"hello", f"{UNSUPPORTED}, names `text/plain`"),
    refused("text as `image/jpeg`", "image/jpeg", b"hello", UNSUPPORTED),
    refused("text without a content type", "", b"hello", f"{UNSUPPORTED}, names `missing`"),
    refused("a PDF as `application/octet-stream`", "application/octet-stream", b"%PDF-1.7",
            f"{UNSUPPORTED}, names `PDF`"),
    refused("text that curl `-d` sends", CURL, b"hello", f"{UNSUPPORTED}, names `{CURL}`"),
    refused("XML", "application/xml", b"<images/>", f"{UNSUPPORTED}, names `application/xml`"),
    refused("nothing, whatever the type", "application/json", b"", "400 `no_images`"),
    refused("JSON that is cut off", "application/json", JSON[:99].encode(), INVALID),
    refused("JSON in UTF-16 that is cut off", "", JSON.encode("utf-16")[:-1], INVALID),
    refused("a list in JSON", CURL, b'[{"data": ""}]',
            f"{INVALID}, names `the body: Expected object, got array; {SEND}`"),
    refused("text in the place of an image in JSON", "application/json", b'{"images": ["/9j/"]}',
            f"{INVALID}, names `images[0]: Expected object, got str; {SEND}`"),
    refused("a number as the id in JSON", "application/json",
            b'{"images": [{"data": "", "id": 5}]}',
            f'{INVALID}, names `images[0].id: Expected str or null, got int; send {{"images": '
            '[{"id": "…", "data": "…"}]}`'),
    *(refused(f"a {name} that curl `-d` sends", CURL, PHOTO_OF[name].translate(None, b"\r\n\0"),
              f"{INVALID}, names `--data-binary`") for name in PHOTO_OF),
    read("`url: null` beside `data` in JSON", "", JSON.replace(
        '"data"', '"url": null, "data"').encode()),
    read("`url: null` beside `data` in MessagePack", "", msgspec.msgpack.encode(
        {"images": [{"data": PHOTO, "url": None}]})),
    refused("JSON with a name in Latin-1", "application/json",
            b'{"images": [{"id": "\xe4", "data": ""}]}', INVALID),
]  # fmt: skip
CONTENT_TYPES = [row.case for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=[case.input for case in CONTENT_TYPES])
def test_the_bytes_decide(server: Server, row: Row) -> None:
    check(server, row)


def test_many_arrays_in_the_place_of_data_are_refused_at_once(server: Server) -> None:
    """The bytes of an image that are not as described are decoded once more, but as text only."""
    for data in (b"[" * 1_000_000, b"[" + b"[]," * 1_000_000 + b"[]]"):
        content = b'{"images": [{"data": ' + data + b"}]}"
        check(server, refused("arrays", "application/json", content, INVALID))
