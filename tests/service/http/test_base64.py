"""Base64 is read as programs write it; what is not base64 is refused with its position."""

import base64
import json
import textwrap
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.errors import InvalidRequestError
from service.http.base64_text import decode, unescape
from tests.cases import Case
from tests.server import Server
from tests.service.http.rows import PHOTO, Row, check, typed

TEXT = base64.b64encode(PHOTO).decode()
URL_SAFE = base64.urlsafe_b64encode(PHOTO).decode()
DATA_URL = f"data:image/jpeg;base64,{TEXT}"
READ, ONE_FACE = "read", "read; 1 face"
REFUSED, INVALID = "an error that says where", "400 `invalid_request`"


def in_json(name: str, happens: str, data: str, key: str = "data") -> Row:
    case = Case(name, READ if happens == ONE_FACE else REFUSED, happens)
    return typed(case, "application/json", json.dumps({"images": [{key: data}]}).encode())


def packed(data: object) -> bytes:
    return msgspec.msgpack.encode({"images": [{"data": data}]})


ROWS = [
    in_json("base64 in `data`", ONE_FACE, TEXT),
    in_json("a newline at the end, as `base64` prints it", ONE_FACE, TEXT + "\n"),
    in_json("lines of 76 characters with CRLF (MIME)", ONE_FACE,
            "\r\n".join(textwrap.wrap(TEXT, 76))),
    in_json("lines of 64 characters with LF (PEM)", ONE_FACE, "\n".join(textwrap.wrap(TEXT, 64))),
    in_json("spaces and tabs around it", ONE_FACE, f"\t {TEXT} "),
    in_json("the URL-safe alphabet", ONE_FACE, URL_SAFE),
    in_json("no padding", ONE_FACE, TEXT.rstrip("=")),
    in_json("the URL-safe alphabet without padding (JWT)", ONE_FACE, URL_SAFE.rstrip("=")),
    in_json("a data URL, as browsers make it", ONE_FACE, DATA_URL),
    in_json("a data URL with parameters", ONE_FACE, f"data:image/jpeg;name=a.jpg;base64,{TEXT}"),
    in_json("a data URL without a type", ONE_FACE, f"data:;base64,{TEXT}"),
    in_json("a data URL of another type", ONE_FACE, f"DATA:text/plain;BASE64,{TEXT}"),
    in_json("a data URL with escapes", ONE_FACE, f"data:image/jpeg;base64,{quote(TEXT, safe='')}"),
    in_json("a data URL in `url`", ONE_FACE, DATA_URL, key="url"),
    typed(
        Case("base64 with `\\/` and `\\u002b`, as PHP and .NET write JSON", READ, ONE_FACE),
        "application/json",
        json.dumps({"images": [{"data": DATA_URL}]})
        .replace("/", "\\/")
        .replace("+", "\\u002b")
        .encode(),
    ),
    in_json("a data URL with a character set", ONE_FACE,
            f"data:image/jpeg;charset=utf-8;base64,{TEXT}"),
    in_json("spaces around a data URL in `url`", ONE_FACE, f" {DATA_URL}\n", key="url"),
    typed(Case("base64 as the whole body (API gateways)", READ, ONE_FACE), "image/jpeg",
          base64.encodebytes(PHOTO)),
    typed(Case("a data URL as the whole body", READ, ONE_FACE), "text/plain", DATA_URL.encode()),
    typed(Case("a data URL of another type as the whole body", READ, ONE_FACE), "text/plain",
          f"data:application/octet-stream;base64,{TEXT}".encode()),
    typed(Case("base64 as the whole body, damaged", REFUSED, f"{INVALID}, names `the body`"),
          "image/jpeg", f"{TEXT[:9000]}!{TEXT[9000:]}".encode()),
    typed(Case("bytes in MessagePack", READ, ONE_FACE), "application/msgpack", packed(PHOTO)),
    typed(Case("base64 in MessagePack", READ, ONE_FACE), "application/msgpack", packed(TEXT)),
    typed(
        Case("a data URL beside bytes in MessagePack", READ, "read; 2 faces"),
        "application/msgpack",
        msgspec.msgpack.encode({"images": [{"data": PHOTO}, {"data": DATA_URL}]}),
    ),
    in_json("another character in it", f"{INVALID}, names `images[0].data`, `'*' at offset 12`",
            f"{TEXT[:12]}*{TEXT[12:]}"),
    in_json("another character in a data URL", f"{INVALID}, names `'\\x00' at offset 27`",
            f"{DATA_URL[:27]}\0{DATA_URL[27:]}"),
    in_json("an umlaut", f"{INVALID}, names `'\\xe4' at offset 4`", f"{TEXT[:4]}ä"),
    in_json("an escape in a data URL for another character", f"{INVALID}, names `'*' at offset 27`",
            f"data:image/jpeg;base64,{TEXT[:4]}%2A"),
    in_json("padding in the middle", f"{INVALID}, names `'=' at offset 3`", f"AAA={TEXT}"),
    in_json("cut off within a byte", f"{INVALID}, names `ends within a byte`", "AAAAA"),
    in_json("Python's `str` of bytes", f"{INVALID}, names `\"'\" at offset 1`", str(TEXT.encode())),
    in_json("a data URL without base64", f"{INVALID}, names `data URL without base64`",
            "data:image/png,%89PNG"),
    in_json("a URL in `data`", f"{INVALID}, names `send it as `", "https://example.com/a.jpg"),
    in_json("a file name in `data`", f"{INVALID}, names `file name, not a file`", "photo.jpg"),
    in_json("`[object Object]` in `data`", f"{INVALID}, names `text that is not base64`",
            "[object Object]"),
    in_json("nothing in `data`", "415 `unsupported_media`", ""),
    in_json("an empty data URL", "415 `unsupported_media`", "data:;base64,"),
    typed(
        Case("a list of bytes in `data`", REFUSED, f"{INVALID}, names `images[0].data`"),
        "application/json",
        json.dumps({"images": [{"data": [*PHOTO[:9]]}]}).encode(),
    ),
]  # fmt: skip
BASE64 = [row.case for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=[case.input for case in BASE64])
def test_base64_as_clients_make_it(server: Server, row: Row) -> None:
    check(server, row)


BATCH: list[dict[str, Any]] = [{"data": PHOTO}, {"id": "bad", "data": "***"}, {"data": PHOTO}]
PART = '--b\r\nContent-Disposition: form-data; name="images"; filename="{}"\r\n{}\r\n'
MAIL = "Content-Transfer-Encoding: base64\r\n"


def batches() -> dict[str, Row]:
    """Two photographs, and between them text that is not base64."""
    lines = json.dumps([{**each, "data": text(each["data"])} for each in BATCH])
    parts = [PART.format("a", MAIL) + TEXT, PART.format("bad", MAIL) + f"{TEXT[:9000]}*"]
    form = "\r\n".join([*parts, parts[0], "--b--"])
    case = Case("a batch", READ, "read; 2 faces")
    return {
        "JSON": typed(case, "application/json", f'{{"images": {lines}}}'.encode()),
        "MessagePack": typed(case, "", msgspec.msgpack.encode({"images": BATCH})),
        "a form": typed(case, "multipart/form-data; boundary=b", form.encode()),
    }


def text(data: bytes | str) -> str:
    return data if isinstance(data, str) else base64.b64encode(data).decode()


@pytest.mark.parametrize(("name", "row"), batches().items())
def test_a_bad_image_of_several_has_its_own_error(server: Server, name: str, row: Row) -> None:
    images = check(server, row).json()["images"]
    assert [image["error"] and image["error"]["code"] for image in images] == [
        None, "invalid_request", None
    ], name  # fmt: skip
    assert (images[1]["id"], images[1]["faces"]) == ("bad", [])
    assert "'*' at offset " in images[1]["error"]["detail"]


def test_each_bad_image_is_named_in_json_lines(server: Server) -> None:
    bad = ["***", "https://example.com/a.jpg", [1], "data:image/png,x", "a.jpg"]
    images = [{"data": TEXT}, *({"data": data} for data in bad), {"url": "a.jpg"}]
    with server.client() as client:
        answer = client.post(
            "/v1/emotions", json={"images": images}, headers={"accept": "application/jsonl"}
        )
    _, good, *others, last = map(json.loads, answer.text.splitlines())
    assert len(good["faces"]) == 1
    assert last["end"]["problem"] is None
    for number, other in enumerate(others, 1):
        assert other["error"]["code"] == "invalid_request"
        assert f"images[{number}]." in other["error"]["detail"]


@given(data=st.binary(), width=st.integers(1, 99), prefix=st.sampled_from(["", "data:;base64,"]))
def test_any_bytes_survive_every_form(data: bytes, width: int, prefix: str) -> None:
    for encoded in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        for text in (encoded, encoded.rstrip("="), "\r\n".join(textwrap.wrap(encoded, width))):
            assert decode(prefix + text, "it") == data
        if prefix:
            assert decode(prefix + quote(encoded, safe=""), "it") == data


@given(text=st.text() | st.text("AZ+/-_= \n,;:%2b"))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    with suppress(InvalidRequestError):
        assert isinstance(decode(text, "it"), bytes)


@example(before=b"", wrong="\ud800", after=b"")
@given(before=st.binary(max_size=9), wrong=st.characters(exclude_categories=[]), after=st.binary())
def test_the_position_is_that_of_the_first_wrong_character(
    before: bytes, wrong: str, after: bytes
) -> None:
    start = base64.b64encode(before).decode().rstrip("=")
    if wrong.isascii() and (wrong.isalnum() or wrong in "+/-_=" or wrong.isspace()):
        return
    if wrong == ":":  # `data:` begins a data URL
        return
    with pytest.raises(InvalidRequestError) as refused:
        decode(start + wrong + base64.b64encode(after).decode(), "it")
    assert f": {wrong!a} at offset {len(start)}" in str(refused.value)


@given(value=st.binary())
def test_escapes_are_those_of_urls(value: bytes) -> None:
    escaped = quote(value, safe=b"+/=\r\n ").encode()
    assert unescape(escaped) == value
    assert unescape(escaped.lower()) == unquote_to_bytes(escaped.lower())
