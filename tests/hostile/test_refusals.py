"""What there is no room for is refused at the connection, in the form of every other answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from bench.corpus import images
from bench.hollow import hollow
from service import refusals
from service.connection import Connection
from service.settings import Settings

JPEG = images()["JPEG"]
KIND = b"content-type: image/jpeg\r\n"
LENGTH = b"content-length: %d\r\n"
PLACES = 2
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def head(*lines: bytes, length: int = len(JPEG), version: bytes = b"1.1") -> bytes:
    given = b"".join([b"host: x\r\n", KIND, LENGTH % length, *lines])
    return b"POST /v1/emotions HTTP/" + version + b"\r\n" + given + b"\r\n"


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[Streams]:
    """A connection to the application, in this event loop."""
    config = uvicorn.Config(app, http=Connection, log_config=None, access_log=False)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"Sat, 21 Nov 2026 12:00:00 GMT")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name, and body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


@pytest.fixture
def settings(plans: Path) -> Settings:
    return Settings(plans=plans, max_queue=PLACES)


async def test_before_its_body_comes_and_the_connection_goes_on(settings: Settings) -> None:
    async with hollow(settings) as app, connected(app) as (reader, writer):
        with app.state.pipeline.gate.admit(PLACES):
            writer.write(head())
            assert (await answer(reader))[0] == 503
        writer.write(JPEG + head() + JPEG)
        assert (await answer(reader))[0] == 200


async def test_as_the_application_would_say_it(settings: Settings) -> None:
    told = []
    async with hollow(settings) as app, connected(app) as (reader, writer):
        with app.state.pipeline.gate.admit(PLACES):
            for more in (b"", b"origin: https://elsewhere.example\r\n"):
                writer.write(head(b"x-request-id: mine\r\n", more) + JPEG)
                told.append(await answer(reader))
        exported = app.state.metrics.render().decode()
    at_once, by_application = told
    assert at_once == by_application
    status, headers, body = at_once
    assert (status, json.loads(body)["code"]) == (503, "overloaded")
    assert headers["x-request-id"] == json.loads(body)["request_id"] == "mine"
    assert {"retry-after", "date", "content-security-policy"} <= headers.keys()
    assert 'emotions_requests_total{path="/v1/emotions",status="503"} 2.0' in exported
    assert 'emotions_refused_requests_total{code="overloaded"} 2.0' in exported


async def test_only_the_first_is_turned_away_by_the_connection(settings: Settings) -> None:
    """Those behind one that is let in are answered in their order."""
    async with hollow(settings) as app, connected(app) as (reader, writer):
        numbers = [b"x-request-id: %d\r\n" % i for i in range(4)]
        whole = [head(number) + JPEG for number in numbers]
        with app.state.pipeline.gate.admit(PLACES):
            writer.write(b"".join(whole))
            told = [await answer(reader) for _ in numbers]
        assert [status for status, _, _ in told] == [503] * 4
        assert [headers["x-request-id"] for _, headers, _ in told] == ["0", "1", "2", "3"]
        writer.write(b"".join(whole))
        told = [await answer(reader) for _ in numbers]
        assert [headers["x-request-id"] for _, headers, _ in told] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(("version", "more"), [(b"1.0", b""), (b"1.1", b"connection: close\r\n")])
async def test_who_wants_no_more_is_hung_up_on(
    settings: Settings, version: bytes, more: bytes
) -> None:
    async with hollow(settings) as app, connected(app) as (reader, writer):
        with app.state.pipeline.gate.admit(PLACES):
            writer.write(head(more, version=version) + JPEG)
            status, headers, _ = await answer(reader)
            assert (status, headers["connection"]) == (503, "close")
            assert await reader.read() == b""


async def test_a_body_that_never_comes_is_not_waited_for(plans: Path) -> None:
    settings = Settings(plans=plans, max_queue=PLACES, patience_s=0.2)
    async with hollow(settings) as app, connected(app) as (reader, writer):
        with app.state.pipeline.gate.admit(PLACES):
            writer.write(head())
            await answer(reader)
            dripping = asyncio.create_task(drip(writer))
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            dripping.cancel()


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.01)


async def test_who_reads_no_answers_is_read_no_further(settings: Settings) -> None:
    async with hollow(settings) as app, connected(app) as (_, writer):
        with app.state.pipeline.gate.admit(PLACES):
            sent = head(length=0) * 1000
            for _ in range(1000):  # 100 MB, more than both ends' sockets hold
                if writer.transport.get_write_buffer_size():
                    break
                writer.write(sent)
                await asyncio.sleep(0)
            else:
                pytest.fail("the service reads on and keeps its answers")


async def test_the_log_has_their_number(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = structlog.testing.LogCapture()
    monkeypatch.setattr(refusals, "log", structlog.wrap_logger(None, processors=[capture]))
    async with hollow(settings) as app, connected(app) as (reader, writer):
        with app.state.pipeline.gate.admit(PLACES):
            for _ in range(3):
                writer.write(head() + JPEG)
                await answer(reader)
    (line,) = capture.entries
    assert (line["event"], line["code"], line["requests"]) == ("refused", "overloaded", 3)
