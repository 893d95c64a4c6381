"""Closed and open loops: what they send, and which answers count."""

import json
from collections.abc import Callable

import pytest

from bench.inputs.forms import Body, as_json, as_msgpack
from bench.inputs.scenes import MIXED, SIZES, scene
from bench.load import mix
from bench.load.client import Reply, fetch, request
from bench.load.loops import closed_loop, open_loop
from bench.load.mix import FORMS, post, requests
from bench.load.result import Answer, Result, latencies
from service.http.frames import read_json, read_msgpack
from service.http.types import EncodedImage, RequestImage
from tests.bench.fake_server import BUSY, HANG_UP, OK, SILENCE, fake
from tests.server import Server

SECONDS = 0.3
CALLS = [request(bytes([number])) for number in range(3)]


async def test_a_closed_loop_sends_its_requests_in_turns() -> None:
    async with fake(OK) as server:
        result = await closed_loop(server.url, CALLS, 4, SECONDS)
        assert server.connections == 4
    assert sorted(set(server.bodies)) == [b"\0", b"\1", b"\2"]
    counts = [server.bodies.count(body) for body in set(server.bodies)]
    assert max(counts) - min(counts) <= 1
    assert result.sent == len(server.bodies) == len(result.seconds())
    assert result.statuses == {200: result.sent}
    assert (result.failed, result.clients) == (0, 4)
    assert result.rate == result.offered == result.sent / result.elapsed
    assert 0 < result.quantile(0.5) <= result.quantile(0.99)


async def test_an_open_loop_does_not_wait_for_answers() -> None:
    async with fake(SILENCE) as server:
        result = await open_loop(server.url, CALLS, 100, SECONDS, timeout_s=0.1)
        assert server.connections == result.sent > 5
    assert result.errors == {"late": result.sent}
    assert result.failed == result.sent
    assert result.rate == 0
    assert result.quantile(0.5) != result.quantile(0.5)  # nan


async def test_failures_are_counted_by_reason() -> None:
    for seconds in (SECONDS, 10 * SECONDS, 100 * SECONDS):  # a busy machine needs more time
        async with fake(BUSY, HANG_UP, b"nonsense\r\n\r\n", OK) as server:
            result = await closed_loop(server.url, CALLS, 1, seconds)
        if result.sent > len(CALLS):
            break
    good = result.sent - result.failed
    # The second request is sent again, because its connection had already been used.
    assert result.statuses == {200: good, 503: 1, "broken": 1}
    assert result.seconds(503)


def test_an_answer_after_the_end_counts_for_the_latency_alone() -> None:
    result = Result(elapsed=2.0, answers=[Answer(200, 1.0, 1.0), Answer(200, 3.0, 3.5)])
    assert result.rate == 0.5
    assert result.quantile(1) == 3000
    result.add(Reply(0, error="cut"), 0, 0)
    assert (result.sent, result.failed) == (3, 1)


def test_percentiles_are_medians_over_the_rounds() -> None:
    rounds = [Result(answers=[Answer(200, seconds, 0)]) for seconds in (0.01, 0.03, 0.02)]
    assert latencies(rounds, 50, 99) == "20, 20"


@pytest.mark.parametrize(("encode", "decode"), [(as_json, read_json), (as_msgpack, read_msgpack)])
def test_bodies_have_the_bytes_of_their_images(
    encode: Callable[[list[bytes]], Body], decode: Callable[[bytes, int], list[RequestImage]]
) -> None:
    assert decode(encode([b"one", b"two"]).content, 2) == [
        EncodedImage("0", b"one"),
        EncodedImage("1", b"two"),
    ]


def test_the_mix_has_every_photograph_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(MIXED) == 12
    assert set(SIZES) < set(MIXED)
    monkeypatch.setattr(mix, "scene", str.encode)
    expected = {post(form(name.encode())) for name in MIXED for form in FORMS}
    mixed = requests("mixed")
    assert len(mixed) == len(expected) == 36
    assert set(mixed) == expected


@pytest.mark.parametrize("form", FORMS)
def test_the_service_accepts_each_form_of_the_mix(
    server: Server, form: Callable[[bytes], Body]
) -> None:
    reply = fetch(server.url, post(form(scene("640x480, 1 face"))))
    assert reply.status == 200
    (image,) = json.loads(reply.body)["images"]
    assert (image["width"], image["height"], len(image["faces"])) == (640, 480, 1)
