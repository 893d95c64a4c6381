"""The HTTP client of the benchmarks, with a server that sends every kind of answer."""

import asyncio
import socket

import pytest

from bench.load.client import (
    BROKEN,
    CLOSED,
    CUT,
    LATE,
    REFUSED,
    Connection,
    Reply,
    fetch,
    request,
    run,
)
from tests.bench.fake_server import BUSY, HANG_UP, OK, SILENCE, fake
from tests.server import Server

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, Reply(200, b"ok")),
        (BUSY, Reply(503)),
        (CHUNKED, Reply(200, b"abcde")),
        (HEAD + b"Content-Length: 1\r\nConnection: close\r\n\r\nx", Reply(200, b"x")),
        (HEAD + b"\r\nuntil the end", Reply(200, b"until the end")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Reply(200, b"ok")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Reply(204)),
        (HEAD + b"content-length: 100\r\n\r\ncut", Reply(0, error=CUT)),
        (CHUNKED[:-9], Reply(0, error=CUT)),
        (HEAD[:5], Reply(0, error=CUT)),
        (HANG_UP, Reply(0, error=CLOSED)),
        (SILENCE, Reply(0, error=LATE)),
        (b"220 this is no HTTP\r\n\r\n", Reply(0, error=BROKEN)),
    ],
)
async def test_an_answer_is_read_or_the_error_is_named(answer: bytes, expected: Reply) -> None:
    async with fake(answer, OK) as server:
        connection = Connection(server.url, timeout_s=5 if answer is not SILENCE else 0.1)
        assert await connection.send(request(b"x")) == expected
        assert await connection.send(request(b"y")) == Reply(200, b"ok")
        assert server.bodies == [b"x", b"y"]
        connection.close()


async def test_a_connection_stays_open() -> None:
    async with fake(OK, CHUNKED, BUSY, OK) as server:
        connection = Connection(server.url)
        statuses = [(await connection.send(request(b"x" * 200_000))).status for _ in range(4)]
        assert statuses == [200, 200, 503, 200]
        assert server.connections == 1
        connection.close()


async def test_a_request_on_a_closed_connection_is_sent_again() -> None:
    async with fake(OK, HANG_UP, OK) as server:
        connection = Connection(server.url)
        assert [(await connection.send(request())).status for _ in range(2)] == [200, 200]
        assert server.connections == 2
        connection.close()


async def test_a_port_without_a_server_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert await Connection(f"http://127.0.0.1:{port}").send(request()) == Reply(0, error=REFUSED)


def test_fetch_works_without_an_event_loop(server: Server) -> None:
    assert fetch(server.url, request(path="/readyz", method="GET")).status == 200
    refused = fetch(server.url, request(b"hello", {"content-type": "text/plain"}))
    assert refused.status == 415
    assert b"unsupported_media" in refused.body


def test_clients_run_on_uvloop() -> None:
    async def module() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run(module()).startswith("uvloop")
