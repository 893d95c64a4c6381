"""The benchmarks' own client, against a server that answers in every way, good and bad."""

import socket

import pytest

from bench.wire import BROKEN, CLOSED, CUT, LATE, REFUSED, Line, Reply, fetch, request, run
from tests.bench.fake import BUSY, HANG_UP, OK, SILENCE, fake
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
async def test_an_answer_is_read_or_its_failure_named(answer: bytes, expected: Reply) -> None:
    async with fake(answer, OK) as server:
        line = Line(server.url, timeout_s=5 if answer is not SILENCE else 0.2)
        assert await line.send(request(b"x")) == expected
        assert await line.send(request(b"y")) == Reply(200, b"ok")
        assert server.bodies == [b"x", b"y"]
        line.close()


async def test_a_connection_is_kept() -> None:
    async with fake(OK, CHUNKED, BUSY, OK) as server:
        line = Line(server.url)
        statuses = [(await line.send(request(b"x" * 200_000))).status for _ in range(4)]
        assert statuses == [200, 200, 503, 200]
        assert server.connections == 1
        line.close()


async def test_what_crosses_with_a_hang_up_is_sent_again() -> None:
    async with fake(OK, HANG_UP, OK) as server:
        line = Line(server.url)
        assert [(await line.send(request())).status for _ in range(2)] == [200, 200]
        assert server.connections == 2
        line.close()


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert await Line(f"http://127.0.0.1:{port}").send(request()) == Reply(0, error=REFUSED)


def test_the_service_is_asked_from_a_thread_without_an_event_loop(server: Server) -> None:
    assert fetch(server.url, request(path="/readyz", method="GET")).status == 200
    refused = fetch(server.url, request(b"hello", {"content-type": "text/plain"}))
    assert refused.status == 415
    assert b"unsupported_media" in refused.body


def test_the_event_loop_is_the_lean_one() -> None:
    async def module() -> str:
        import asyncio  # noqa: PLC0415

        return type(asyncio.get_running_loop()).__module__

    assert run(module()).startswith("uvloop")
