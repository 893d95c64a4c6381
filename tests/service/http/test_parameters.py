"""Parameters are parsed like FastAPI does, but unknown and repeated ones are rejected."""

from contextlib import suppress
from typing import Annotated, Literal

import httpx
import pytest
from fastapi import FastAPI, Header, Query
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from analysis.types import Options
from service.errors import InvalidRequestError
from service.http import parameters
from service.http.parameters import DEADLINE, WANTED, parse_query, time_limit, unknown_field
from service.options import default_options
from service.settings import Settings
from service.values import MinFace

LONGEST_S = 60.0


def reference() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def parsed(
        *,
        min_score: Annotated[float | None, Query(ge=0, le=1)] = None,
        max_faces: Annotated[int | None, Query(ge=1, le=1000)] = None,
        min_face: Annotated[MinFace | None, Query()] = None,
        orientation: Literal["exif", "auto"] | None = None,
        min_quality: Annotated[float | None, Query(ge=0, le=1)] = None,
        embeddings: bool = False,
        labels: str | None = None,
        deadline_ms: Annotated[int | None, Header(alias=DEADLINE, ge=1)] = None,
    ) -> list[float | int | bool | str | None]:
        own = [min_score, max_faces, min_face, orientation, min_quality, embeddings, labels]
        return [*own, deadline_ms]

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
        ("min_face=40&orientation=auto&min_quality=0.5", None),
        ("min_face=auto&orientation=exif&min_quality=0", None),
        ("min_face=fast", None),
        *(
            (f"min_face={value}", None)
            for value in ("12", "10000", "11", "10001", "40px", "1e9", "")
        ),
        ("orientation=90", None),
        ("orientation=", None),
        *((f"min_quality={value}", None) for value in ("nan", "-0.1", "1.1", "high")),
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


KNOWN = f"known are {', '.join(parameters.Query.model_fields)}"
HEADER = f"send it as a header, {DEADLINE}: …"


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("min_scor", f"did you mean min_score? {KNOWN}"),
        ("MinScore", f"did you mean min_score? {KNOWN}"),
        ("embedding", f"did you mean embeddings? {KNOWN}"),
        ("minFace", f"did you mean min_face? {KNOWN}"),
        ("quality", f"did you mean min_quality? {KNOWN}"),
        ("rotation", f"did you mean orientation? {KNOWN}"),
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


def test_options_are_those_of_the_query_then_of_the_settings() -> None:
    own = Settings(min_score=0.4, max_faces=7, min_face=60, orientation="auto", min_quality=0.3)
    defaults = default_options(own)
    assert defaults == Options(0.4, 7, False, False, 60, "auto", 0.3)
    assert parse_query(request("labels=sad")).options(defaults) == defaults
    text = "min_score=0&max_faces=1&embeddings=1&min_face=fast&orientation=exif&min_quality=0"
    chosen = parse_query(request(text)).options(defaults)
    assert chosen == Options(0, 1, True, False, "fast", "exif", 0)


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
