"""Answers as JSON Lines: cut off, split anywhere, or not from the service."""

import asyncio
import json
from itertools import accumulate, pairwise

import httpx
import msgspec
import pytest
from emotions_client import (
    Image,
    ImageResult,
    RefusedError,
    Retry,
)
from emotions_client.requests import Options
from emotions_client.streamed import StreamedAnswer
from hypothesis import example, given
from hypothesis import strategies as st

from tests.client.fake import EMPTY, ONCE, fake, fake_async, result


class Torn:
    """Ends each answer early in another way; records the images of each request."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["accept"] == "application/jsonl"
        names = [image["id"] for image in msgspec.msgpack.decode(request.content)["images"]]
        self.requests.append(names)
        problem = {"status": 503, "code": "overloaded", "detail": "full", "request_id": "r"}
        lines: list[object] = [{"model": EMPTY["model"]}]
        lines += [result(name) for name in names[:1]]
        match len(self.requests):
            case 1:
                return httpx.Response(503)
            case 2:
                pass
            case 3:
                lines.append({"end": {"images": 1, "problem": problem}})
            case _:
                return httpx.Response(422, json=problem | {"code": "corrupt_image"})
        return httpx.Response(200, text="".join(json.dumps(line) + "\n" for line in lines))


def test_only_images_without_a_result_are_requested_again() -> None:
    retry = Retry(first_s=0.01)
    blocking, awaited = Torn(), Torn()
    images = [Image(name, b"x") for name in "abc"]
    with fake(blocking, retry) as client:
        found = list(client.analyze_each(*images))

    async def ask() -> list[ImageResult]:
        async with fake_async(awaited, retry) as client:
            return [result async for result in client.analyze_each(*images)]

    assert asyncio.run(ask()) == found
    assert [result.id for result in found] == ["a", "b", "c"]
    assert [result.error and result.error.code for result in found] == [None, None, "corrupt_image"]
    for torn in (blocking, awaited):
        assert torn.requests == [["a", "b", "c"], ["a", "b", "c"], ["b", "c"], ["c"]]


@given(
    names=st.lists(st.text(), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 40), max_size=9),
)
@example(["\u2028", "\u2029\u0085"], [])
def test_only_a_newline_ends_a_line(names: list[str], cuts: list[int]) -> None:
    streamed = StreamedAnswer([Image(name, b"") for name in names], Options(), ONCE)
    lines = [{"model": EMPTY["model"]}, *map(result, names), {"end": {"images": len(names)}}]
    answer = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    places = [0, *accumulate(cuts), len(answer)]
    pieces = [answer[start:end] for start, end in pairwise(places)]
    found = [one.id for piece in pieces for one in streamed.results(piece)]
    assert found == names
    assert streamed.pause_after(httpx.Response(200)) is None
    assert list(streamed.finish()) == []


def test_names_may_contain_other_line_ends_sync_and_async() -> None:
    names = ["a\u2028b", "c\u2029d\u0085e"]
    lines = [{"model": EMPTY["model"]}, *map(result, names), {"end": {"images": 2}}]
    answer = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    images = [Image(name, b"x") for name in names]
    with fake(lambda request: httpx.Response(200, text=answer)) as client:
        found = list(client.analyze_each(*images))

    async def ask() -> list[ImageResult]:
        async with fake_async(lambda request: httpx.Response(200, text=answer)) as client:
            return [result async for result in client.analyze_each(*images)]

    assert [result.id for result in found] == names
    assert asyncio.run(ask()) == found


@pytest.mark.parametrize("page", [b"<html>", b"<html>\n", b'{"id": "\xff"}\n', b'{"id": "\xff"}'])
def test_lines_of_another_server_are_an_error(page: bytes) -> None:
    with fake(lambda request: httpx.Response(200, content=page)) as client:
        with pytest.raises(RefusedError, match="200 not_the_service"):
            list(client.analyze_each(b"x"))
        with pytest.raises(RefusedError, match="200 not_the_service"):
            client.analyze(b"x")
