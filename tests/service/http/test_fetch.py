"""Images from URLs: pinned, checked at every redirect, and within limits."""

import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from analysis.errors import ServiceError, TooLargeError
from service.errors import FetchError, UrlRefusedError
from service.http.fetch import Budget, Fetcher
from service.http.pinned import Resolve, resolve
from service.http.urls import Allowed
from tests.service.http.origin import FOREVER, Origin, answer, origin, redirect

BODY = b"image" * 1000
LOOPBACK = ("127.0.0.0/8",)


def free(size: int) -> None:
    """Count nothing."""


class Names:
    """A resolver with given answers, the last one forever; records the names."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.names: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[str]:
        self.names.append(host)
        return list(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@asynccontextmanager
async def fetching(
    port: int,
    names: Resolve | None = None,
    networks: Sequence[str] = LOOPBACK,
    timeout_s: float = 60,
) -> AsyncIterator[Fetcher]:
    """A fetcher that may fetch from images.example at `port`."""
    fetcher = Fetcher(
        Allowed([f"http://images.example:{port}", f"https://images.example:{port}"], networks),
        max_bytes=10_000,
        timeout_s=timeout_s,
        max_redirects=3,
        resolve=names or Names(["127.0.0.1"]),
    )
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def fetch(
    found: Origin,
    path: str,
    names: Resolve | None = None,
    budget: int = 10_000,
    timeout_s: float = 60,
) -> bytes:
    async with fetching(found.port, names, timeout_s=timeout_s) as fetcher:
        url = httpx.URL(f"http://images.example:{found.port}{path}")
        return await fetcher.fetch(url, Budget(budget, free))


async def refused(
    kind: type[ServiceError],
    answers: Mapping[str, bytes],
    budget: int = 10_000,
    timeout_s: float = 60,
) -> str:
    """Fetch `/` from a server with `answers` and return the error; PORT stands for its port."""
    async with origin(answers) as found:
        for path, text in answers.items():
            found.answers[path] = text.replace(b"PORT", str(found.port).encode())
        with pytest.raises(kind) as failure:
            await fetch(found, "/", budget=budget, timeout_s=timeout_s)
        return str(failure.value)


async def test_an_image_comes_as_it_is() -> None:
    names = Names(["127.0.0.1"])
    async with origin({"/a?b=c": answer("200 OK", BODY)}) as found:
        assert await fetch(found, "/a?b=c#d", names) == BODY
    (head,) = found.heads
    assert f"host: images.example:{found.port}\r\n" in head.lower()
    assert "accept-encoding: identity" in head.lower()
    assert "cookie" not in head.lower()


async def test_a_name_that_leads_elsewhere_later_is_resolved_once_a_connection() -> None:
    """DNS rebinding: the connection goes to the address that was checked."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    async with (
        origin({"/": answer("200 OK", BODY)}) as found,
        fetching(found.port, names) as fetcher,
    ):
        url = httpx.URL(f"http://images.example:{found.port}/")
        assert await fetcher.fetch(url, Budget(10_000, free)) == BODY
        assert names.names == ["images.example"]
        with pytest.raises(UrlRefusedError):
            await fetcher.fetch(url, Budget(10_000, free))
    assert len(found.heads) == 1


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%1"]]
)
async def test_a_name_with_a_private_address_is_refused(addresses: list[str]) -> None:
    async with (
        origin({"/": answer("200 OK", BODY)}) as found,
        fetching(found.port, Names(addresses), networks=()) as fetcher,
    ):
        url = httpx.URL(f"http://images.example:{found.port}/")
        with pytest.raises(UrlRefusedError, match="public internet") as failure:
            await fetcher.fetch(url, Budget(10_000, free))
    assert not found.heads
    assert not any(address in str(failure.value) for address in addresses)


async def test_a_second_address_is_tried_when_the_first_does_not_answer() -> None:
    async with origin({"/": answer("200 OK", BODY)}) as found:
        assert await fetch(found, "/", Names(["127.255.255.1", "127.0.0.1"])) == BODY


async def test_redirects_are_followed_within_the_allowed_hosts() -> None:
    answers = {"/": redirect("/b"), "/b": redirect("http://images.example:PORT/c")}
    async with origin(answers | {"/c": answer("200 OK", BODY)}) as found:
        found.answers["/b"] = redirect(f"http://images.example:{found.port}/c")
        assert await fetch(found, "/") == BODY


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:PORT/secret",
        "http://[::1]:PORT/secret",
        "http://localhost:PORT/secret",
        "http://169.254.169.254/latest/meta-data",
        "http://images.example/secret",
        "//other.example:PORT/secret",
        "file:///etc/passwd",
        "http://user:pass@images.example:PORT/secret",
    ],
)
async def test_a_redirect_out_of_the_allowed_hosts_is_refused(target: str) -> None:
    await refused(UrlRefusedError, {"/": redirect(target), "/secret": answer("200 OK", BODY)})


async def test_a_redirect_s_address_is_checked_as_well() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with origin({"/": redirect("/b"), "/b": answer("200 OK", BODY)}) as found:
        with pytest.raises(UrlRefusedError, match="public internet"):
            await fetch(found, "/", names)
    assert len(found.heads) == 1


async def test_redirects_end() -> None:
    assert "more than 3 times" in await refused(FetchError, {"/": redirect("/")})
    assert "more than 3 times" in await refused(FetchError, {"/": answer("302 Found")})


async def test_bytes_are_limited_announced_or_not() -> None:
    large = b"x" * 10_001
    announced = answer("200 OK", b"", content_length="99999999")
    await refused(TooLargeError, {"/": announced})
    chunked = answer("200 OK", b"2711\r\n" + large, content_length="", transfer_encoding="chunked")
    await refused(TooLargeError, {"/": chunked})
    await refused(TooLargeError, {"/": answer("200 OK", large, content_length="")})
    assert "of this request" in await refused(
        TooLargeError, {"/": answer("200 OK", BODY)}, budget=4_000
    )


async def test_answers_that_are_not_an_image_are_errors() -> None:
    assert "404" in await refused(FetchError, {"/": answer("404 Not Found", b"secret")})
    assert "206" in await refused(FetchError, {"/": answer("206 Partial Content", BODY)})
    packed = answer("200 OK", BODY, content_encoding="gzip")
    assert "encoding" in await refused(FetchError, {"/": packed})
    cut = answer("200 OK", BODY, content_length="9000")
    await refused(FetchError, {"/": cut})
    await refused(FetchError, {"/": b"SSH-2.0-OpenSSH_9.2\r\n"})
    await refused(FetchError, {"/": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000})


async def test_time_is_limited() -> None:
    assert "within 0.2 s" in await refused(FetchError, {"/": FOREVER}, timeout_s=0.2)


async def test_no_server_and_an_unknown_name_are_errors() -> None:
    async with origin({}) as found:
        pass
    with pytest.raises(FetchError, match="no connection"):
        await fetch(found, "/")

    async def nothing(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(FetchError, match="no connection"):
        await fetch(found, "/", nothing)


async def test_the_system_s_resolver_gives_addresses() -> None:
    assert {*await resolve("localhost", 80)} <= {"127.0.0.1", "::1"}


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with origin({"/": answer("200 OK", BODY)}) as found:
        assert await fetch(found, "/") == BODY


@pytest.mark.parametrize("name", ["images.example", "other.example", None])
async def test_tls_verifies_the_name_and_the_authority(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str | None
) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name or "images.example").configure_cert(tls)
    if name is not None:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with (
        origin({"/": answer("200 OK", BODY)}, tls) as found,
        fetching(found.port) as fetcher,
    ):
        url = httpx.URL(f"https://images.example:{found.port}/")
        if name == "images.example":
            assert await fetcher.fetch(url, Budget(10_000, free)) == BODY
        else:
            with pytest.raises(FetchError, match="no connection"):
                await fetcher.fetch(url, Budget(10_000, free))
    assert len(found.heads) == (name == "images.example")
