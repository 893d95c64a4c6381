"""Parameters are read as FastAPI would read them, and refused in the same words."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Header, Query
from starlette.requests import Request

from service.errors import InvalidRequest
from service.parameters import DEADLINE, parameters


def reference() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def told(
        min_score: Annotated[float | None, Query(ge=0, le=1)] = None,
        max_faces: Annotated[int | None, Query(ge=1, le=1000)] = None,
        embeddings: bool = False,
        labels: str | None = None,
        deadline_ms: Annotated[int | None, Header(alias=DEADLINE, ge=1)] = None,
    ) -> list[float | int | bool | str | None]:
        return [min_score, max_faces, embeddings, labels, deadline_ms]

    return app


def read(query: str, deadline: str | None) -> object:
    headers = [(DEADLINE.lower().encode(), deadline.encode())] if deadline is not None else []
    found = parameters(
        Request({"type": "http", "query_string": query.encode(), "headers": headers})
    )
    return list(found.model_dump().values())


@pytest.mark.parametrize(
    ("query", "deadline"),
    [
        ("", None),
        ("min_score=0.25&max_faces=3&embeddings=true&labels=sad,happy", "250"),
        ("min_score=1&min_score=0.5&other=1", None),
        ("embeddings=on&labels=", None),
        ("labels=%C3%A9+%20%ff", None),
        ("X-Request-Deadline-Ms=0&deadline_ms=0", None),
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
async def test_as_fastapi_would(query: str, deadline: str | None) -> None:
    headers = {} if deadline is None else {DEADLINE: deadline}
    transport = httpx.ASGITransport(reference())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get(f"/?{query}", headers=headers)
    if answer.status_code == 200:
        assert read(query, deadline) == answer.json()
        return
    first = answer.json()["detail"][0]
    with pytest.raises(InvalidRequest) as refused:
        read(query, deadline)
    assert str(refused.value) == f"{first['loc'][1]}: {first['msg']}"
