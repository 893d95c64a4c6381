"""Multipart bodies are split into parts that keep their bytes, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidRequestError
from service.http.multipart import read_parts

FORM = "multipart/form-data; boundary=b"
NAME = 'Content-Disposition: form-data; name="images"'
FILE = f'{NAME}; filename="a.jpg"'


def part(head: str, data: bytes, end: bytes = b"\r\n") -> bytes:
    return b"--b" + end + head.encode() + end + end + data + end


def form(*parts: bytes, end: bytes = b"\r\n") -> bytes:
    return b"".join(parts) + b"--b--" + end


def test_a_part_does_not_take_the_field_of_the_one_before() -> None:
    content = form(part(NAME, b"x"), part("Content-Type: image/jpeg", b"y"))
    assert [part.field for part in read_parts(FORM, content)] == ["images", None]


@given(data=st.lists(st.binary(), max_size=4), end=st.sampled_from([b"\r\n", b"\n"]))
def test_parts_keep_their_bytes(data: list[bytes], end: bytes) -> None:
    content = form(*(part(FILE, each, end) for each in data), end=end)
    if content.count(b"--b") == len(data) + 1:
        assert [part.data for part in read_parts(FORM, content)] == data


PIECES = st.sampled_from(
    [
        *(b"--b", b"--", b"\r\n", b"\n", b"\r", b": ", b";", b'"', b"=", b"*", b"\xff", b"\0"),
        *(b"--b\r\n", b"\r\n--b--", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"),
        *(b"Content-Disposition: form-data; name=images; filename*0*=utf-8''%ff; filename*1=a",),
        *(b"Content-Disposition: form-data; name=images", b"; filename*=a", b"; filename*0=b"),
        b"Content-Transfer-Encoding: base64\r\n\r\n",
    ]
)


@given(content=st.lists(PIECES | st.binary(max_size=9), max_size=40).map(b"".join))
def test_any_form_is_split_or_refused(content: bytes) -> None:
    try:
        for part in read_parts(FORM, b"--b\r\n" + content):
            f"{part.field}{part.filename}".encode()  # JSON can represent the names
    except InvalidRequestError:
        return


@pytest.mark.parametrize(
    "head",
    [
        "x" * 9999,
        f'{NAME}; filename="' + ";" * 9999,
        f"{NAME}; filename*{'9' * 5000}*=a",
    ],
)
def test_the_head_of_a_part_is_short(head: str) -> None:
    with pytest.raises(InvalidRequestError, match="bytes of them"):
        list(read_parts(FORM, form(part(head, b"x"))))
