"""The tests of `emotions serve` that need only a URL, against the service on Ray Serve."""

import inspect
import os
import signal
import socket

import httpx

from tests.hostile import test_contract
from tests.ray.serving import replicas
from tests.server import Server
from tests.service import test_embeddings
from tests.service.http import (
    test_base64,
    test_compression,
    test_content_types,
    test_forms,
    test_http,
    test_options,
    test_streaming,
)
from tests.service.http.test_http import ASTRONAUT, address, detected
from tests.service.load import load, metric
from tests.service.load import until as eventually
from tests.waiting import until

MODULES = (
    test_contract,
    test_base64,
    test_compression,
    test_content_types,
    test_embeddings,
    test_forms,
    test_http,
    test_options,
    test_streaming,
)
# The following tests with the same name show what differs.
for module in MODULES:
    for name, test in inspect.getmembers(module, inspect.isfunction):
        if name.startswith("test_") and "server" in inspect.signature(test).parameters:
            globals()[name] = test


def test_a_request_id_is_echoed_only_if_it_is_harmless(server: Server) -> None:
    """Ray adds every id that a client sends. Ours comes first, and once."""
    with server.client() as client:
        given = client.get("/livez", headers={"x-request-id": "frame-17"})
        forged = client.get("/livez", headers={"x-request-id": 'x", "level": "y'})
    assert ids(given) == ["frame-17"]
    ours, theirs = ids(forged)
    assert (len(ours), theirs) == (32, 'x", "level": "y')


def test_images_of_clients_that_disconnected_are_dropped(server: Server) -> None:
    """Most of them wait in Ray's queue, which counts none that it drops."""
    request = b"POST /v1/emotions HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"
    request += b"content-length: %d\r\n\r\n" % len(ASTRONAUT) + ASTRONAUT
    before, count = detected(server), 60
    clients = [socket.create_connection(address(server)) for _ in range(count)]
    for client in clients:
        client.sendall(request)
    until(lambda: metric(server, "emotions_images_under_way") > 0)
    for client in clients:
        client.close()
    until(lambda: metric(server, "emotions_images_under_way") == 0)
    assert detected(server) - before < count


def ids(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("x-request-id")


async def test_a_replica_that_is_killed_loses_no_image(server: Server) -> None:
    async with load(server) as loaded:
        os.kill(replicas(server)[0], signal.SIGKILL)
        await loaded.more()
        await eventually(lambda: len(replicas(server)) == 2)
    loaded.require_all_answered()
    assert set(loaded.readiness) == {200}
