"""Every request is answered with faces or with a typed problem."""

import gzip
import json
import zlib
from types import ModuleType

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.fakes.asgi import Reply
from bench.inputs.corpus import bodies, images
from bench.inputs.forms import BOUNDARY, as_multipart
from bench.inputs.mutations import KINDS
from service.http.documents import Problem
from service.http.parameters import Query
from tests.hostile.asking import Ask

JPEG = images()["JPEG"]
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
# A deadline of a millisecond is too short for an answer.
LATE, DEADLINE = 504, "x-request-deadline-ms"
EXPECTED = {200, 400, 401, 403, 404, 405, 413, 415, 422, 501}

texts = st.text(max_size=20) | st.sampled_from(["images", "data", "id", "url", "", "\0"])
encoded = st.sampled_from(["", "?", "AAAA", "/9j/", "iVBORw0KGgo="])
numbers = st.integers() | st.floats() | st.just(10**400)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | encoded | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
frames = st.dictionaries(st.sampled_from(["data", "id", "url"]) | texts, values, max_size=4)
documents = values | st.fixed_dictionaries({"images": values | st.lists(frames, max_size=4)})
names = st.sampled_from(["content-type", "accept", "x-api-key", "authorization", "x-request-id"])
other_names = st.sampled_from([DEADLINE, "content-length", "traceparent", "cookie"])
header_values = st.binary(max_size=60) | st.sampled_from([b"application/jsonl;q=nan", b"-1", b"0"])


def check(reply: Reply) -> Reply:
    assert reply.status in EXPECTED, reply
    if reply.status >= 400:
        problem = msgspec.json.decode(reply.body, type=dict[str, object])
        assert Problem.model_validate(problem).code != "internal"
    return reply


def kind(name: str) -> dict[bytes, bytes]:
    return {b"content-type": name.encode("latin-1")}


@given(document=documents)
def test_any_json(fake_ask: Ask, document: object) -> None:
    content = json.dumps(document, default=lambda value: value.decode("latin-1")).encode()
    check(fake_ask(content, kind("application/json")))


def packable(value: object) -> object:
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return 2**63
    if isinstance(value, list):
        return [packable(item) for item in value]
    if isinstance(value, dict):
        return {key: packable(item) for key, item in value.items()}
    return value


@given(document=documents)
def test_any_msgpack(fake_ask: Ask, document: object) -> None:
    check(fake_ask(msgspec.msgpack.encode(packable(document)), kind("application/msgpack")))


part_heads = st.lists(
    st.sampled_from(
        [
            b'content-disposition: form-data; name="images"; filename="a.jpg"',
            b'content-disposition: form-data; name="images"',
            b"content-disposition: form-data; name=images; filename*=utf-8''%ff",
            b'content-disposition: form-data; name="other"; filename=""',
            b"content-disposition: attachment",
            b"content-type: image/jpeg",
            b"content-transfer-encoding: base64",
        ]
    )
    | st.binary(max_size=40),
    max_size=4,
)
parts = st.lists(st.tuples(part_heads, st.sampled_from([JPEG, b"", b"x"]) | st.binary()))


@given(parts=parts, end=st.sampled_from([b"--corpus--\r\n", b"", b"--corpus", b"\r\n"]))
def test_any_form(fake_ask: Ask, parts: list[tuple[list[bytes], bytes]], end: bytes) -> None:
    body = (
        b"--corpus\r\n" + b"\r\n".join(head) + b"\r\n\r\n" + data + b"\r\n" for head, data in parts
    )
    check(fake_ask(b"".join(body) + end, kind(MULTIPART)))


@given(content=st.binary(), name=st.sampled_from(KINDS) | st.text("abc/;=\"' \xff", max_size=40))
def test_any_bytes_of_any_type(fake_ask: Ask, content: bytes, name: str) -> None:
    check(fake_ask(content, kind(name)))


@example({"x-request-deadline-ms": b"1"})
@example({"x-request-deadline-ms": b"9" * 400})
@given(headers=st.dictionaries(names | other_names, header_values, max_size=5))
def test_any_headers(fake_ask: Ask, headers: dict[str, bytes]) -> None:
    given_headers = {name.encode(): value for name, value in headers.items()}
    reply = fake_ask(JPEG, kind("image/jpeg") | given_headers)
    if reply.status != LATE or DEADLINE not in headers:
        check(reply)


@given(
    query=st.binary(max_size=60)
    | st.lists(
        st.tuples(
            st.sampled_from([*Query.model_fields, "x"]),
            st.sampled_from(["", "1", "-1", "1e400", "nan", "true", "happy", "happy,happy", "%00"])
            | st.text("0123456789.e-+", max_size=400),
        ),
        max_size=4,
    ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode())
)
@example(b"embeddings=true")
def test_any_query(fake_ask: Ask, query: bytes) -> None:
    check(fake_ask(JPEG, kind("image/jpeg"), query))


@settings(max_examples=50)
@given(path=st.binary(max_size=30), method=st.sampled_from(["GET", "PUT", "DELETE", "\xff"]))
def test_any_address(fake_ask: Ask, path: bytes, method: str) -> None:
    address = "/" + path.decode("latin-1")
    assert fake_ask(b"", {}, path=address, method=method).status in EXPECTED | {304}


# Found by fuzzers; each once caused a 500 or seconds of work.
FOUND = {
    "a name that is no UTF-8, MessagePack": (
        "application/msgpack",
        b"\x81\xa6images\x91\x82\xa4data\xc4\x00\xa2id\xa1\xc1",
        400,
    ),
    "a key that is no UTF-8, MessagePack": ("application/msgpack", b"\x81\xa1\xff\x90", 400),
    "a name with half a surrogate, JSON": (
        "application/json",
        b'{"images": [{"data": "AAAA", "id": "\\ud800"}]}',
        400,
    ),
    "images by the hundred thousand, JSON": (
        "application/json",
        b'{"images":[' + b'{"data":""},' * 200_000 + b'{"data":""}]}',
        413,
    ),
    "arrays in arrays, JSON": ("application/json", b'{"images":' + b"[" * 500_000, 400),
    "maps in maps, MessagePack": ("application/msgpack", b"\x81\xa1a" * 200_000, 400),
    "a number of a million digits, JSON": (
        "application/json",
        b'{"images": [' + b"9" * 1_000_000 + b"]}",
        400,
    ),
    "an array longer than memory, MessagePack": (
        "application/msgpack",
        b"\x81\xa6images\xdd\xff\xff\xff\xff",
        413,
    ),
    "images by the million, MessagePack": (
        "application/msgpack",
        msgspec.msgpack.encode({"images": [{"data": b""}]}).replace(
            b"\x91", b"\xdd\x00\x0f\x42\x40"
        )
        + b"\x81\xa4data\xc4\x00" * 999_999,
        413,
    ),
    "names in UTF-7, a form": (
        f"{MULTIPART}; charset=utf-7",
        as_multipart([JPEG]).content.replace(b'filename="', b'filename="+2AA-'),
        400,
    ),
    "names in an encoding that always fails, a form": (
        f"{MULTIPART}; charset=undefined",
        as_multipart([JPEG]).content,
        400,
    ),
    "names in UTF-8 that says so, a form": (
        f"{MULTIPART}; charset=UTF-8",
        as_multipart([JPEG]).content,
        200,
    ),
    "the same field 100,000 times, JSON": (
        "application/json",
        b"{" + b'"images":[],' * 100_000 + b'"images":[]}',
        400,
    ),
    "a form cut within its second image": (
        MULTIPART,
        as_multipart([JPEG, JPEG]).content[:-100],
        400,
    ),
    "a boundary of 60,000 letters": ("multipart/form-data; boundary=" + "a" * 60_000, b"", 400),
    "a type with 10,000 parameters": ("multipart/form-data" + "; a=b" * 10_000, b"", 400),
}


@pytest.mark.parametrize("name", FOUND)
def test_bodies_that_fuzzers_found_are_answered(fake_ask: Ask, name: str) -> None:
    content_type, content, status = FOUND[name]
    assert check(fake_ask(content, kind(content_type))).status == status


FILE = b'--corpus\r\ncontent-disposition: form-data; name="images"; filename="f"\r\n\r\ny\r\n'


@pytest.mark.parametrize(
    ("part", "status"),
    [
        (FILE, 413),
        (FILE.replace(b'; filename="f"', b""), 413),
        (b"--corpus\r\n" + b"x: y\r\n" * 10 + b"\r\n\r\n", 400),
    ],
)
def test_a_hundred_thousand_parts(fake_ask: Ask, part: bytes, status: int) -> None:
    content = part * 100_000 + b"--corpus--\r\n"
    assert check(fake_ask(content, kind(MULTIPART))).status == status


@pytest.mark.parametrize("filler", [b"\r\n", b"\r", b"\r\n-", b"\r\n--corpu", b"\0"])
def test_parts_that_look_like_boundaries_cost_no_more(fake_ask: Ask, filler: bytes) -> None:
    content = as_multipart([filler * (1_000_000 // len(filler))]).content
    assert check(fake_ask(content, kind(MULTIPART))).status == 415


codings = st.sampled_from(
    [b"gzip", b"deflate", b"zstd", b"identity", b"br", b"gzip, zstd", b"\xff"]
)


@given(content=st.binary(), coding=codings | st.binary(max_size=20))
def test_any_content_encoding(fake_ask: Ask, content: bytes, coding: bytes) -> None:
    check(fake_ask(content, kind("image/jpeg") | {b"content-encoding": coding}))


@given(cut=st.integers(1), coding=st.sampled_from([(b"gzip", gzip), (b"deflate", zlib)]))
def test_a_compressed_body_that_is_cut_off(
    fake_ask: Ask, cut: int, coding: tuple[bytes, ModuleType]
) -> None:
    name, module = coding
    content = module.compress(JPEG)
    headers = kind("image/jpeg") | {b"content-encoding": name}
    assert check(fake_ask(content, headers)).status == 200
    assert check(fake_ask(content[: cut % len(content)], headers)).status == 400


fields = st.sampled_from([b"images", b"images[]", b"%69mages", b"image", b"x", b"_charset_", b""])
field_values = st.sampled_from([b"/9j/", b"data:;base64,", b"%2B%2f", b"http:", b"https://a.b"])


@given(pairs=st.lists(st.tuples(fields, field_values | st.binary(max_size=20)), max_size=6))
def test_any_urlencoded_form(fake_ask: Ask, pairs: list[tuple[bytes, bytes]]) -> None:
    content = b"&".join(name + b"=" + value for name, value in pairs)
    check(fake_ask(content, kind("application/x-www-form-urlencoded")))


def test_the_corpus_itself_is_answered(fake_ask: Ask) -> None:
    for body in bodies():
        assert fake_ask(body.content, kind(body.kind)).status == 200
