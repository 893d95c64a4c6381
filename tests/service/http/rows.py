"""Rows of tables about requests: a case, and the request that proves it."""

import re
from typing import NamedTuple

import httpx

from tests.cases import Case
from tests.photographs import encode, group
from tests.server import Server

URL = "/v1/emotions"
# A portrait in 256 x 256 pixels: one face.
PHOTO = encode(group(1, 1)[0], "JPEG", quality=90)


class Row(NamedTuple):
    """A case; the body, the headers and the query of its request."""

    case: Case
    content: bytes
    headers: dict[str, str] = {}  # noqa: RUF012  (never changed)
    query: str = ""


def typed(case: Case, content_type: str, content: bytes) -> Row:
    """A row whose request has one header."""
    return Row(case, content, {"content-type": content_type})


def check(server: Server, row: Row) -> httpx.Response:
    """Send the request of a row, and compare the answer with what the row says."""
    with server.client() as client:
        url = f"{URL}?{row.query}" if row.query else URL
        answer = client.post(url, content=row.content, headers=row.headers)
    expected, _, named = row.case.happens.partition(", names ")
    assert happens(answer) == expected, answer.text
    for each in re.findall(r"`([^`]+)`", named):
        assert each in answer.json()["detail"]
    return answer


def happens(answer: httpx.Response) -> str:
    """Describe an answer as the tables do."""
    if answer.status_code != httpx.codes.OK:
        return f"{answer.status_code} `{answer.json()['code']}`"
    faces = sum(len(image["faces"]) for image in answer.json()["images"])
    return f"read; {faces} face" if faces == 1 else f"read; {faces} faces"
