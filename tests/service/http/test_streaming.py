"""Answers as JSON Lines: sent one by one, and cancelled when the client stops reading."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from analysis.document import Document, ImageResult
from analysis.errors import OverloadedError, ServiceError
from service.http.documents import Models
from service.http.problems import describe
from service.http.streaming import JsonLines, encode_lines
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode
from tests.server import Server

ASTRONAUT = ASTRONAUT_FILE.read_bytes()
HOPPER = HOPPER_FILE.read_bytes()
BROKEN = HOPPER[:5000]
BLANK = encode(np.zeros((64, 64, 3), np.uint8))
URL = "/v1/emotions"
LINES = {"accept": "application/jsonl"}
MODELS = Models(detector="d", landmarks=None, emotion="e", embedder=None, backend="b")
SCOPE = {"type": "http", "headers": [], "method": "POST", "path": URL, "state": {}}


def result(name: str) -> Document:
    return ImageResult(id=name, width=1, height=1, turned=0, error=None, faces=[]).model_dump()


class Exchange:
    """The side of the server in one request: what it sent; the client leaves when `gone` is set."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self.request = Request(SCOPE, self.receive)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, results: AsyncGenerator[Document, None], timeout_s: float = 60) -> None:
        lines = encode_lines(MODELS, results, lambda error: describe(self.request, error))
        answer = JsonLines(self.request, lines, "application/jsonl", timeout_s)
        await answer(SCOPE, self.receive, self.send)

    @property
    def lines(self) -> list[Any]:
        body = b"".join(message.get("body", b"") for message in self.sent)
        return [json.loads(line) for line in body.splitlines()]


async def test_a_line_leaves_before_the_next_result_is_there() -> None:
    exchange, seen = Exchange(), []

    async def results() -> AsyncGenerator[Document, None]:
        for name in "abc":
            seen.append([line.get("id") for line in exchange.lines])
            yield result(name)

    await exchange.run(results())
    assert seen == [[], [None, "a"], [None, "a", "b"]]
    assert exchange.lines[-1] == {"end": {"images": 3, "problem": None}}


@pytest.mark.parametrize(
    ("error", "code"), [(OverloadedError("full"), "overloaded"), (OSError(), None)]
)
async def test_a_later_error_is_in_the_last_line(error: Exception, code: str | None) -> None:
    async def results() -> AsyncGenerator[Document, None]:
        yield result("a")
        raise error

    exchange = Exchange()
    await exchange.run(results())
    *_, first, last = exchange.lines
    assert first["id"] == "a"
    assert last["end"]["images"] == 1
    assert last["end"]["problem"]["code"] == (code or "internal")


async def test_an_error_before_the_first_result_is_raised() -> None:
    async def results() -> AsyncGenerator[Document, None]:
        for name in await refused():
            yield result(name)

    async def refused() -> list[str]:
        raise OverloadedError("full")

    exchange = Exchange()
    with pytest.raises(ServiceError):
        await exchange.run(results())
    assert not exchange.sent


@pytest.mark.parametrize("begun", [True, False])
async def test_the_work_is_cancelled_when_the_client_disconnects(begun: bool) -> None:
    exchange, closed = Exchange(), asyncio.Event()

    async def results() -> AsyncGenerator[Document, None]:
        try:
            if begun:
                yield result("a")
            exchange.gone.set()
            await asyncio.Event().wait()
            yield result("never")
        finally:
            closed.set()

    if begun:
        await exchange.run(results())
    else:
        with pytest.raises(ClientDisconnect):
            await exchange.run(results())
    await asyncio.wait_for(closed.wait(), 60)
    assert [line for line in exchange.lines if "end" in line] == []


async def test_the_answer_ends_if_the_client_does_not_read() -> None:
    exchange, closed = Exchange(), asyncio.Event()

    async def stuck(message: Message) -> None:
        exchange.sent.append(message)
        await asyncio.Event().wait()

    async def results() -> AsyncGenerator[Document, None]:
        try:
            yield result("a")
        finally:
            closed.set()

    exchange.send = stuck  # type: ignore[method-assign]
    await exchange.run(results(), timeout_s=0.05)
    await asyncio.wait_for(closed.wait(), 60)


def post(server: Server, *images: bytes, **headers: str) -> httpx.Response:
    files = [("images", (f"{i}.jpg", data)) for i, data in enumerate(images)]
    with server.client() as client:
        return client.post(URL, files=files, headers=headers)


def test_lines_hold_the_same_results_as_the_document(server: Server) -> None:
    images = (ASTRONAUT, BROKEN, BLANK, b"text", ASTRONAUT)
    whole = post(server, *images).json()
    answer = post(server, *images, accept="application/x-ndjson")
    assert answer.headers["content-type"] == "application/x-ndjson"
    first, *results, last = [json.loads(line) for line in answer.text.splitlines()]
    assert first == {"model": whole["model"]}
    assert results == whole["images"]
    assert last == {"end": {"images": 5, "problem": None}}


def test_problems_of_the_request_keep_their_status(server: Server) -> None:
    for images, status, code in (
        ((BROKEN,), 422, "corrupt_image"),
        ((), 400, "no_images"),
    ):
        files = [("images", ("0", data)) for data in images] or [("images", ("", b""))]
        with server.client() as client:
            answer = client.post(URL, files=files, headers=LINES)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def detected(client: httpx.Client) -> int:
    text = client.get("/metrics").text
    found = re.search(r'emotions_batch_items_sum\{network="detector"\} (\d+)', text)
    return int(found[1]) if found else 0


def test_no_inference_runs_after_the_client_disconnects(server: Server) -> None:
    files = [("images", ("0", ASTRONAUT))] * 60
    with server.client() as client:
        before = detected(client)
        with client.stream("POST", URL, files=files, headers=LINES) as answer:
            next(answer.iter_lines())
            answer.close()
        client.post(URL, content=BLANK, headers={"content-type": "image/png"})
        client.post(URL, content=BLANK, headers={"content-type": "image/png"})
        assert detected(client) - before < 50


def test_a_deadline_between_two_images_ends_the_lines(server: Server) -> None:
    """Several deadlines are tried until one falls between the first image and the last."""
    for milliseconds in (100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600):
        late = {"x-request-deadline-ms": str(milliseconds)}
        answer = post(server, *[HOPPER] * 60, **LINES, **late)
        if answer.status_code == 504:
            continue
        assert answer.status_code == 200
        *results, last = [json.loads(line) for line in answer.text.splitlines()][1:]
        assert [image["error"] for image in results] == [None] * len(results)
        assert last["end"]["images"] == len(results) < 60
        assert last["end"]["problem"]["code"] == "deadline_exceeded"
        return
    raise AssertionError("no deadline fell between the first image and the last")


def test_a_slow_reader_gets_all_lines(server: Server) -> None:
    """The client reads one byte at a time."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = f"POST {URL} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\nconnection: close\r\n"
    head += f"accept: application/jsonl\r\ncontent-length: {len(BLANK)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(head.encode() + BLANK)
        read = b"".join(iter(lambda: slow.recv(1), b""))
    assert b"transfer-encoding: chunked" in read
    assert b'{"end":{"images":1,"problem":null}}\n' in read
