"""Requests are sent again after temporary errors, and after pauses within limits."""

import asyncio
import time

import httpx
import pytest
from emotions_client import (
    Client,
    RefusedError,
    Retry,
    UnreachableError,
)
from hypothesis import example, given
from hypothesis import strategies as st

from tests.client.fake import EMPTY, ONCE, fake, fake_async


class Flaky:
    """Fails three times in three ways, then answers; records the time of each request."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.times.append(time.monotonic())
        match len(self.times):
            case 1:
                raise httpx.ConnectError("refused")
            case 2:
                return httpx.Response(503, headers={"retry-after": "1"})
            case 3:
                return httpx.Response(502, text="<html>")
        return httpx.Response(200, json=EMPTY)


async def test_pauses_honour_retry_after_sync_and_async() -> None:
    retry = Retry(first_s=0.01)
    blocking, awaited = Flaky(), Flaky()
    async with fake_async(awaited, retry) as client:
        with fake(blocking, retry) as sync_client:
            answers = await asyncio.gather(
                asyncio.to_thread(sync_client.analyze, b""), client.analyze(b"")
            )
    assert [answer.images for answer in answers] == [(), ()]
    for flaky in (blocking, awaited):
        assert len(flaky.times) == 4
        assert 1.0 <= flaky.times[2] - flaky.times[1] < 1.5
        assert flaky.times[1] - flaky.times[0] < 0.5


def test_pauses_grow_vary_and_end() -> None:
    retry = Retry(attempts=9, first_s=0.5, longest_s=4)
    busy, dated = httpx.Response(503), httpx.Response(503, headers={"retry-after": "yesterday"})
    pauses = [retry.pause(4, busy) or 0 for _ in range(200)]
    assert 3 < max(pauses) <= 4
    assert min(pauses) < 1
    assert (retry.pause(0, dated) or 0) <= 0.5
    assert (Retry(attempts=5000).pause(4000, busy) or 0) <= 20
    assert retry.pause(8, busy) is None
    assert retry.pause(0, httpx.Response(400)) is None
    assert retry.pause(0, httpx.UnsupportedProtocol("ftp")) is None


# Values of Retry-After: seconds, dates near and far, and neither.
MONTHS = ("Jan", "Feb", "Jul", "Dec")


AFTERS = st.one_of(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    st.integers(min_value=0, max_value=10**400).map(str),
    st.builds(
        "Wed, {} {} {} 07:28:00 {}".format,
        st.integers(0, 10**30),
        st.sampled_from(MONTHS),
        st.one_of(st.integers(0, 9999), st.integers(0, 10**30)),
        st.sampled_from(["GMT", "-0000", "+2400", "-9999999999"]),
    ),
)


@given(after=AFTERS, attempt=st.integers(0, 7))
@example("86400", 0)
@example("Fri, 31 Dec 9999 23:59:59 GMT", 0)
@example("Wed, 99999999999999999999 Oct 2099 07:28:00 GMT", 0)
def test_no_pause_is_longer_than_the_limit(after: str, attempt: int) -> None:
    busy = httpx.Response(429, headers={"retry-after": after})
    pause = Retry(attempts=9, first_s=0.5, longest_s=4).pause(attempt, busy)
    assert pause is None or 0 <= pause <= 4


def test_an_error_that_asks_for_a_long_pause_is_raised_at_once() -> None:
    requests: list[httpx.Request] = []

    def tomorrow(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        problem = {"status": 429, "code": "too_many", "detail": "tomorrow", "request_id": "r"}
        return httpx.Response(429, headers={"retry-after": "86400"}, json=problem)

    with fake(tomorrow, Retry()) as client, pytest.raises(RefusedError, match="429 too_many"):
        client.analyze(b"")
    assert len(requests) == 1
    assert Retry(longest_s=100_000).pause(0, tomorrow(requests[0])) is not None


def test_no_server_and_another_server_are_different_errors() -> None:
    with Client("http://127.0.0.1:9", retry=ONCE) as client, pytest.raises(UnreachableError):
        client.analyze(b"")

    def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>")

    with fake(page) as client, pytest.raises(RefusedError, match="not_the_service"):
        client.analyze(b"")
