"""Fetches images from URLs, within limits on origins, redirects, bytes and time."""

import asyncio
from collections.abc import Callable

import httpcore
import httpx

from analysis.errors import TooLargeError
from service.errors import FetchError
from service.http.pinned import PinnedBackend, Resolve, resolve
from service.http.urls import Allowed

REDIRECTS = (301, 302, 303, 307, 308)
MAX_CONNECTIONS = 32
KEEP_ALIVE_S = 5.0
# No compression: it does not shrink images, and decompression could exceed every limit.
HEADERS = (("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "emotions"))


class Budget:
    """Limits the bytes that one request fetches; `reserve` is called for each chunk."""

    def __init__(self, max_bytes: int, reserve: Callable[[int], None]) -> None:
        self._left = self._total = max_bytes
        self._reserve = reserve

    def spend(self, size: int) -> None:
        """Use `size` bytes.

        Raises:
            TooLargeError: fewer bytes are left.
            OverloadedError: all requests together have too many bytes in memory.
        """
        self._left -= size
        if self._left < 0:
            raise TooLargeError(f"the images of this request exceed {self._total:,} bytes together")
        self._reserve(size)


class Fetcher:
    """Fetches images from allowed origins, without proxies and cookies."""

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
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=PinnedBackend(allowed, resolve),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def fetch(self, url: httpx.URL, budget: Budget) -> bytes:
        """Fetch one image.

        Raises:
            UrlRefusedError: `url`, or a redirect from it, is not allowed.
            FetchError: the URL returned no image, or not in time.
            TooLargeError: the image exceeds its limit, or `budget`.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(url, budget)
        except TimeoutError as error:
            raise FetchError(f"the URL returned no image within {self._timeout_s:g} s") from error
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise FetchError("no connection to the host of the URL, or it broke") from error
        except (httpcore.ProtocolError, httpx.InvalidURL) as error:
            raise FetchError("the host of the URL violates HTTP") from error

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
            raise FetchError("the URL answered with a content encoding, which was not requested")
        length = _header(response, b"content-length")
        if length.isdecimal():
            self._check_size(int(length))
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            self._check_size(len(body))
            budget.spend(len(chunk))
        return bytes(body)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise TooLargeError(
                f"the image has {size:,} bytes or more; the limit is {self._max_bytes:,} bytes"
            )


def _header(response: httpcore.Response, name: bytes) -> str:
    values = (value for key, value in response.headers if key.lower() == name)
    return next(values, b"").decode("latin-1").strip()
