"""Slow, endless and malformed clients of a real server: rejected, and nothing is left of them."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.inputs.corpus import images
from bench.measure.processes import resources
from tests.server import Server, serving

JPEG = images()["JPEG"]
PATIENCE_S = 0.5
HEAD = b"POST /v1/emotions HTTP/1.1\r\nhost: x\r\n"
KIND = b"content-type: image/jpeg\r\n"
SOUND = HEAD + KIND + b"content-length: %d\r\n\r\n" % len(JPEG) + JPEG
LIVE = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def impatient(plans: Path) -> Iterator[Server]:
    with serving(
        plans, engine="bench.fakes:instant:1", patience_s=str(PATIENCE_S), deadline_s="1"
    ) as running:
        yield running


def connect(server: Server) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def read(client: socket.socket) -> bytes:
    """Return all bytes until the server closes the connection."""
    received = b""
    try:
        while chunk := client.recv(1 << 16):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def answer(client: socket.socket) -> bytes:
    """Return the first answer, a problem in JSON."""
    received = client.recv(1 << 16)
    while not received.endswith(b"}"):
        received += client.recv(1 << 16)
    return received


def exchange(server: Server, request: bytes) -> bytes:
    with connect(server) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request)
        return read(client)


def drip(client: socket.socket) -> None:
    for _ in range(300):
        client.sendall(b"x")
        time.sleep(0.05)


def status(answer: bytes) -> int:
    """Return the status of an answer; an error must be a problem of the service."""
    head, _, body = answer.partition(b"\r\n\r\n")
    code = int(head.split()[1])
    if code >= 400:
        assert b"application/problem+json" in head.lower()
        assert json.loads(body)["status"] == code
        assert b"x-request-id" in head.lower()
    return code


@pytest.mark.parametrize("begun", [b"POST /v1/emo", HEAD, HEAD + b"x: " + b"y" * 1000])
def test_a_head_that_does_not_end_is_timed_out(impatient: Server, begun: bytes) -> None:
    assert status(exchange(impatient, begun)) == 408


def test_a_client_that_sends_nothing_is_disconnected(impatient: Server) -> None:
    assert exchange(impatient, b"") == b""
    assert exchange(impatient, b"\r\n\r\n") == b""


def test_a_body_that_does_not_end_is_timed_out(impatient: Server) -> None:
    """The answer comes at the deadline, and the connection ends although bytes still come."""
    with connect(impatient) as client:
        client.sendall(HEAD + KIND + b"content-length: 1000000\r\n\r\nabc")
        assert status(answer(client)) == 504
        with pytest.raises(OSError):  # noqa: PT011  (reset or a broken pipe)
            drip(client)


@pytest.mark.parametrize(
    "flood",
    [
        b"x: y\r\n" * 100_000,
        b"x: " + b"y" * 1_000_000,
        b"y" * 1_000_000 + b": x\r\n",
        b"x: y\r\n" * 201 + b"\r\n",
    ],
)
def test_floods_of_headers_are_rejected(impatient: Server, flood: bytes) -> None:
    assert status(exchange(impatient, HEAD + flood)) in {400, 431}


def test_a_long_path_is_rejected(impatient: Server) -> None:
    assert status(exchange(impatient, b"GET /" + b"a" * 1_000_000)) == 431


def test_headers_after_the_body_count_too(impatient: Server) -> None:
    chunked = HEAD + KIND + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    assert status(exchange(impatient, chunked + b"x: y\r\n" * 1000 + b"\r\n")) == 431


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 99999999999999999999999\r\n\r\n",
        HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        HEAD + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nabc",
        HEAD + KIND + b"transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        HEAD + KIND + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n",
        HEAD + b"x y: z\r\n\r\n",
        HEAD + b"\xff: \xff\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\0" * 1000,
    ],
)
def test_bytes_that_are_not_http_get_a_problem(impatient: Server, request_: bytes) -> None:
    assert 400 <= status(exchange(impatient, request_)) < 500


def test_pipelined_requests_are_answered_in_order(impatient: Server) -> None:
    last = SOUND.replace(b"host: x", b"host: x\r\nconnection: close")
    answers = exchange(impatient, SOUND + LIVE + SOUND + b"\r\n" + last)
    assert answers.count(b"HTTP/1.1 200 OK") == 4
    assert answers.count(b'"images":[') == 3


def test_garbage_after_a_request_is_not_taken_for_its_answer(impatient: Server) -> None:
    answers = exchange(impatient, SOUND + b"\0garbage\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") + answers.count(b"HTTP/1.1 400") <= 1


def test_a_client_that_does_not_read_is_disconnected(impatient: Server) -> None:
    with connect(impatient) as client:
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 1000)
        time.sleep(4 * PATIENCE_S)
        assert read(client).count(b"HTTP/1.1 200 OK") < 1000


@pytest.mark.parametrize(
    "first",
    [
        LIVE,
        HEAD.replace(b"emotions", b"emotions?no=1") + KIND + b"content-length: 9\r\n\r\n",
        LIVE.replace(b"livez", b"openapi.json") * 200,
    ],
    ids=["answered", "answered before the end of its body", "answered faster than it is read"],
)
def test_an_idle_connection_stays_open(impatient: Server, first: bytes) -> None:
    """Balancers send the next request on it, up to a minute later."""
    last = LIVE.replace(b"host: x", b"host: x\r\nconnection: close")
    with connect(impatient) as client:
        client.sendall(first)
        time.sleep(PATIENCE_S / 2)
        client.sendall(b"123456789" if b"no=1" in first else b"")
        answers = read_answers(client, first.count(b"HTTP/1.1"))
        time.sleep(4 * PATIENCE_S)
        client.sendall(last)
        answers += read(client)
    assert answers.endswith(b'{"live":true}')


def read_answers(client: socket.socket, count: int) -> bytes:
    """Return all answers, each with a body in JSON."""
    received = b""
    while received.count(b"HTTP/1.1 ") < count or not received.endswith(b"}"):
        received += client.recv(1 << 16)
    return received


def test_an_idle_connection_is_closed_after_a_while(plans: Path) -> None:
    with (
        serving(plans, engine="bench.fakes:instant:1", keep_alive_s="1") as running,
        connect(running) as client,
    ):
        client.sendall(LIVE)
        assert read(client).endswith(b'{"live":true}')


def test_an_upgrade_is_not_needed(impatient: Server) -> None:
    request = LIVE.replace(
        b"host: x", b"host: x\r\nconnection: upgrade, close\r\nupgrade: websocket"
    )
    assert status(exchange(impatient, request)) == 200


def test_no_descriptor_and_no_thread_is_left_of_two_hundred_clients(impatient: Server) -> None:
    assert httpx.get(f"{impatient.url}/livez").status_code == 200
    time.sleep(2 * PATIENCE_S)  # the connections of the tests above end
    before = resources(impatient.process.pid)
    silent = [connect(impatient) for _ in range(200)]
    for i, client in enumerate(silent):
        client.sendall((b"", HEAD, HEAD + KIND + b"content-length: 9\r\n\r\nabc")[i % 3])
    for client in silent:
        read(client)
        client.close()
    for _ in range(300):
        after = resources(impatient.process.pid)
        if after.descriptors <= before.descriptors + 2 and after.threads <= before.threads:
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"{before} before and {after} after")
    assert httpx.get(f"{impatient.url}/readyz").status_code == 200
