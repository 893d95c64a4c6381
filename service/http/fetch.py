"""Images from URLs: every connection goes to an address that was checked, at every redirect."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

import httpcore
import httpx

from analysis.errors import TooLargeError
from service.errors import FetchError, UrlRefusedError
from service.http.urls import Allowed

REDIRECTS = (301, 302, 303, 307, 308)
CONNECTIONS = 32
# Compressed answers could grow beyond every limit; images gain nothing from it.
HEADERS = (("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "emotions"))
Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Budget:
    """Bytes that the fetched images of one request may have together; `hold` counts them."""

    def __init__(self, max_bytes: int, hold: Callable[[int], None]) -> None:
        self._left = self._most = max_bytes
        self._hold = hold

    def spend(self, size: int) -> None:
        """Take `size` bytes.

        Raises:
            TooLargeError: fewer bytes are left.
            OverloadedError: all requests together hold too many bytes.
        """
        self._left -= size
        if self._left < 0:
            raise TooLargeError(f"the images of this request come to more than {self._most} bytes")
        self._hold(size)


class Pinned(httpcore.AsyncNetworkBackend):
    """Resolves a name once, and connects to what it resolved to if every address may be reached.

    Nothing resolves the name again, so that it cannot lead elsewhere once it was checked. TLS,
    above this, still verifies the name.
    """

    def __init__(self, allowed: Allowed, resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that answers.

        Raises:
            UrlRefusedError: one of them may not be reached.
            httpcore.ConnectError: there is none, or none answers.
        """
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._checked(host, port):
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure

    async def _checked(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name has no address") from error
        if not all(self._allowed.reaches(address) for address in addresses):
            raise UrlRefusedError("the host of the URL is not on the public internet")
        return addresses


class Fetcher:
    """Fetches images from the origins that are allowed; knows no proxies and no cookies."""

    def __init__(
        self,
        allowed: Allowed,
        *,
        max_bytes: int,
        timeout_s: float,
        max_redirects: int,
        resolve: Resolve = resolve,
    ) -> None:
        self._allowed = allowed
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._max_redirects = max_redirects
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=CONNECTIONS,
            keepalive_expiry=5,
            network_backend=Pinned(allowed, resolve),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def fetch(self, url: httpx.URL, budget: Budget) -> bytes:
        """Fetch one image.

        Raises:
            UrlRefusedError: `url`, or where it redirects to, may not be fetched.
            FetchError: there is no image at it, or none in time.
            TooLargeError: it has more bytes than an image may have, or than `budget` has left.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(url, budget)
        except TimeoutError as error:
            raise FetchError(f"the URL gave no image within {self._timeout_s:g} s") from error
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise FetchError("no connection to the host of the URL, or it broke") from error
        except (httpcore.ProtocolError, httpx.InvalidURL) as error:
            raise FetchError("the host of the URL does not speak HTTP as it should") from error

    async def _follow(self, url: httpx.URL, budget: Budget) -> bytes:
        for _ in range(self._max_redirects + 1):
            self._allowed.check(url)
            target = httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            )
            async with self._pool.stream("GET", target, headers=HEADERS) as response:
                if response.status not in REDIRECTS:
                    return await self._body(response, budget)
                url = url.join(_header(response, b"location"))
        raise FetchError(f"the URL redirects more than {self._max_redirects} times")

    async def _body(self, response: httpcore.Response, budget: Budget) -> bytes:
        if response.status != 200:
            raise FetchError(f"the URL answered with status {response.status}, not 200")
        if _header(response, b"content-encoding") not in ("", "identity"):
            raise FetchError("the URL answered with a content encoding, which nobody asked for")
        announced = _header(response, b"content-length")
        if announced.isdecimal():
            self._limit(int(announced))
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            self._limit(len(body))
            budget.spend(len(chunk))
        return bytes(body)

    def _limit(self, size: int) -> None:
        if size > self._max_bytes:
            raise TooLargeError(
                f"the image has {size} bytes or more; the limit is {self._max_bytes}"
            )


def _header(response: httpcore.Response, name: bytes) -> str:
    values = (value for key, value in response.headers if key.lower() == name)
    return next(values, b"").decode("latin-1").strip()
