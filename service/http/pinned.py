"""Connections that go only to addresses that were checked (against DNS rebinding)."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

import httpcore

from service.errors import UrlRefusedError
from service.http.urls import Allowed

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host from the resolver of the system."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once per connection and connects only if every address is allowed.

    The connection goes to a checked address: the name is not resolved again, so it cannot change
    after the check. TLS, in the layer above, still verifies the name.
    """

    def __init__(self, allowed: Allowed, resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the signature of httpcore)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that answers.

        Raises:
            UrlRefusedError: one of the addresses is not allowed.
            httpcore.ConnectError: there is no address, or none answers.
        """
        failure: Exception = httpcore.ConnectError("no address")
        for address in await self._addresses(host, port):
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name has no address") from error
        if not all(self._allowed.reaches(address) for address in addresses):
            raise UrlRefusedError("the host of the URL is not on the public internet")
        return addresses
