"""Parameters are parsed like FastAPI does, but unknown and repeated ones are rejected."""

from contextlib import suppress
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Header, Query
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from service.errors import InvalidRequestError
from service.http.parameters import DEADLINE, WANTED, parse_query, time_limit, unknown_field

LONGEST_S = 60.0


def reference() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def parsed(
        min_score: Annotated[float | None, Query(ge=0, le=1)] = None,
        max_faces: Annotated[int | None, Query(ge=1, le=1000)] = None,
        embeddings: bool = False,
        labels: str | None = None,
        deadline_ms: Annotated[int | None, Header(alias=DEADLINE, ge=1)] = None,
    ) -> list[float | int | bool | str | None]:
        return [min_score, max_faces, embeddings, labels, deadline_ms]

    return app


def request(text: str, deadline: str | None = None) -> Request:
    headers = [(DEADLINE.lower().encode(), deadline.encode())] if deadline is not None else []
    return Request({"type": "http", "query_string": text.encode(), "headers": headers})


def read(text: str, deadline: str | None) -> object:
    sent = request(text, deadline)
    parsed = parse_query(sent)
    limit_s = time_limit(sent, LONGEST_S)
    return [*parsed.model_dump().values(), None if limit_s == LONGEST_S else limit_s * 1000]


@pytest.mark.parametrize(
    ("text", "deadline"),
    [
        ("", None),
        ("min_score=0.25&max_faces=3&embeddings=true&labels=sad,happy", "250"),
        ("embeddings=on&labels=", None),
        ("labels=%C3%A9+%20%ff", None),
        ("min_score=2&max_faces=0", "0"),
        ("min_score=nan", None),
        ("max_faces=", None),
        ("max_faces=1.5", None),
        ("embeddings=perhaps", None),
        ("", "soon"),
        ("", "-1"),
        ("", ""),
    ],
)
async def test_values_are_parsed_like_fastapi_does(text: str, deadline: str | None) -> None:
    headers = {} if deadline is None else {DEADLINE: deadline}
    transport = httpx.ASGITransport(reference())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(f"/?{text}", headers=headers)
    if answer.status_code == 200:
        assert read(text, deadline) == answer.json()
        return
    name = answer.json()["detail"][0]["loc"][1]
    with pytest.raises(InvalidRequestError, match=f"^{name}: give {WANTED[name]}, not '"):
        read(text, deadline)


KNOWN = "known are min_score, max_faces, embeddings, labels"
HEADER = f"send it as a header, {DEADLINE}: …"


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("min_scor", f"did you mean min_score? {KNOWN}"),
        ("MinScore", f"did you mean min_score? {KNOWN}"),
        ("embedding", f"did you mean embeddings? {KNOWN}"),
        ("x", KNOWN),
        ("", KNOWN),
        (DEADLINE, HEADER),
        ("deadline_ms", HEADER),
        ("deadline", HEADER),
    ],
)
def test_an_unknown_parameter_is_named_with_the_nearest_one(name: str, fix: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse_query(request(f"max_faces=5&{name}=1"))
    assert str(refused.value) == f"{name}: unknown parameter; {fix}"


@pytest.mark.parametrize("text", ["labels=sad&labels=happy", "labels=sad&min_score=1&labels=sad"])
def test_a_repeated_parameter_is_named(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^labels: give it once$"):
        parse_query(request(text))


def test_a_long_name_is_not_repeated_whole() -> None:
    for text in (f"{'x' * 9999}=1", f"{'x' * 9999}=1&{'x' * 9999}=2"):
        with pytest.raises(InvalidRequestError) as refused:
            parse_query(request(text))
        assert len(str(refused.value)) < 200
    with pytest.raises(InvalidRequestError) as refused:
        raise unknown_field("x" * 9999, "key", ["images"])
    assert len(str(refused.value)) < 200


def test_a_time_limit_beyond_the_service_s_is_cut() -> None:
    for given_ms in ("100000000", "9" * 400):
        assert time_limit(request("", given_ms), LONGEST_S) == LONGEST_S
    assert time_limit(request("", "1"), LONGEST_S) == 0.001


@given(st.binary())
def test_any_query_is_parsed_or_refused(text: bytes) -> None:
    with suppress(InvalidRequestError):
        parse_query(Request({"type": "http", "query_string": text, "headers": []}))
