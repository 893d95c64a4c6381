"""Rejected requests on a connection: the protocol of uvicorn with our limits, in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from math import inf
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from bench.inputs.corpus import images
from service.http.protocol import Connection
from service.http.uvicorn_internals import OVERRIDDEN
from service.settings import Settings
from tests.service.stub import stubbed

ROOT = Path(__file__).parents[2]
JPEG = images()["JPEG"]
KIND = b"content-type: image/jpeg\r\n"
LENGTH = b"content-length: %d\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
PLACES = 2
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def head(*lines: bytes, length: int = len(JPEG), version: bytes = b"1.1") -> bytes:
    given = b"".join([b"host: x\r\n", KIND, LENGTH % length, *lines])
    return b"POST /v1/emotions HTTP/" + version + b"\r\n" + given + b"\r\n"


class Listener:
    """The application behind the protocol, on a free port."""

    def __init__(self, app: FastAPI) -> None:
        self._config = uvicorn.Config(app, http=Connection, log_config=None, access_log=False)
        self._config.load()
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"Sat, 21 Nov 2026 12:00:00 GMT")]
        self.server: asyncio.Server

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(self._protocol, "127.0.0.1", 0)

    def _protocol(self) -> Connection:
        return Connection(config=self._config, server_state=self.state, app_state={})

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Streams]:
        reader, writer = await asyncio.open_connection(*self.server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[Listener]:
    listener = Listener(app)
    await listener.start()
    async with listener.server:
        yield listener


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[Streams]:
    async with listening(app) as listener, listener.connect() as streams:
        yield streams


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers by lower-case name, and body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


@asynccontextmanager
async def full(settings: Settings) -> AsyncIterator[FastAPI]:
    """Start the application with no capacity left, until `app.state.other` releases its images."""
    async with stubbed(settings) as app:
        with app.state.admission.admit(None, inf) as other:
            other.add_images(PLACES)
            app.state.other = other
            yield app


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
def settings(plans: Path) -> Settings:
    return Settings(plans=plans, max_queue=PLACES)


async def test_a_request_is_rejected_before_its_body_and_the_connection_stays_open(
    settings: Settings,
) -> None:
    async with full(settings) as app, connected(app) as (reader, writer):
        writer.write(head())
        status, headers, body = await answer(reader)
        assert (status, json.loads(body)["code"]) == (503, "overloaded")
        assert {"retry-after", "date", "content-security-policy", "x-request-id"} <= headers.keys()
        app.state.other.release_images()
        writer.write(JPEG + head() + JPEG)
        assert (await answer(reader))[0] == 200


async def test_requests_in_a_row_are_answered_in_their_order(settings: Settings) -> None:
    async with full(settings) as app, connected(app) as (reader, writer):
        numbers = [b"x-request-id: %d\r\n" % i for i in range(4)]
        whole = b"".join(head(number) + JPEG for number in numbers)
        for expected in (503, 200):
            writer.write(whole)
            answers = [await answer(reader) for _ in numbers]
            assert [status for status, _, _ in answers] == [expected] * 4
            assert [headers["x-request-id"] for _, headers, _ in answers] == ["0", "1", "2", "3"]
            app.state.other.release_images()


@pytest.mark.parametrize(("version", "more"), [(b"1.0", b""), (b"1.1", b"connection: close\r\n")])
async def test_the_connection_closes_if_the_client_wants_that(
    settings: Settings, version: bytes, more: bytes
) -> None:
    async with full(settings) as app, connected(app) as (reader, writer):
        writer.write(head(more, version=version) + JPEG)
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (503, "close")
        assert await reader.read() == b""


async def test_a_body_that_never_comes_is_timed_out(plans: Path) -> None:
    settings = Settings(plans=plans, max_queue=PLACES, patience_s=0.2)
    async with full(settings) as app, connected(app) as (reader, writer):
        writer.write(head())
        await answer(reader)
        dripping = asyncio.create_task(drip(writer))
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        dripping.cancel()


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_reading_pauses_while_the_client_reads_no_answers(settings: Settings) -> None:
    async with full(settings) as app, connected(app) as (_, writer):
        sent = head(length=0) * 1000
        for _ in range(1000):  # 100 MB, more than the buffers of both sockets
            if writer.transport.get_write_buffer_size():
                break
            writer.write(sent)
            await asyncio.sleep(0)
        else:
            pytest.fail("the service reads on and keeps its answers")


async def test_a_connection_beyond_the_limit_is_answered_and_closed(plans: Path) -> None:
    async with stubbed(Settings(plans=plans, max_connections=2)) as app, listening(app) as listener:
        async with listener.connect() as (reader, writer), listener.connect():
            writer.write(LIVE)
            assert (await answer(reader))[0] == 200
            async with listener.connect() as (refused, silent):
                status, headers, body = await answer(refused)
                assert await refused.read() == b""
                silent.write(head() + JPEG)  # is read and discarded
                assert len(listener.state.connections) == 2
            writer.write(LIVE)
            assert (await answer(reader))[0] == 200
        await until(lambda: not listener.state.connections)
        async with listener.connect() as (reader, writer):
            writer.write(head() + JPEG)
            assert (await answer(reader))[0] == 200
        exported = app.state.metrics.render().decode()
    assert (status, json.loads(body)["code"]) == (503, "overloaded")
    assert (headers["retry-after"], headers["connection"]) == ("1", "close")
    assert headers["content-type"] == "application/problem+json"
    assert {"date", "content-security-policy", "x-request-id"} <= headers.keys()
    assert 'emotions_refused_requests_total{code="overloaded"} 1.0' in exported


async def test_a_refused_connection_is_not_held_open(
    plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.http.protocol.LINGER_S", 0.1)
    async with (
        stubbed(Settings(plans=plans, max_connections=1)) as app,
        listening(app) as listener,
        listener.connect(),
        listener.connect() as (reader, writer),
    ):
        await answer(reader)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(drip(writer), 60)


def test_the_pinned_uvicorn_has_the_overridden_methods() -> None:
    """Methods of uvicorn itself, not hooks of asyncio or httptools, may change with any version."""
    ours = {name for name in vars(Connection) if callable(getattr(Connection, name))}
    theirs = {name for name in vars(HttpToolsProtocol) if name in ours and name != "__init__"}
    hooks = {name for name in theirs if name.startswith("on_")} - {"on_response_complete"}
    asyncios = {name for name in theirs if hasattr(asyncio.Protocol, name)}
    assert theirs - hooks - asyncios == set(OVERRIDDEN)
    pins = {
        line.partition("==")[2].partition(" ")[0]
        for file in (ROOT / "requirements").glob("*.txt")
        for line in file.read_text().splitlines()
        if line.startswith("uvicorn==")
    }
    assert pins == {version("uvicorn")}
