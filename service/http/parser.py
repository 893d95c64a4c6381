"""httptools' parser without upgrades: a server may ignore them (RFC 9110, section 7.8).

Some clients ask for HTTP/2 in their first request, even with a body; Java's does by default.
httptools ends such a request after its head, and the body would be lost.
"""

from typing import Protocol

import httptools


class Requests(Protocol):
    """Takes the callbacks of a parser. It ignores ends while `should_upgrade()` is true."""

    def parse_without_upgrade(self) -> httptools.HttpRequestParser:
        """Give the head of the current request, without `Upgrade`, to a new parser; return it."""
        ...


class Parser(httptools.HttpRequestParser):
    """Leaves a request that asks for an upgrade, and all that follows, to a new parser."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests)
        # As uvicorn: pipelined bytes after `Connection: close` do not cost the answer before.
        self.set_dangerous_leniencies(lenient_data_after_close=True)
        self._requests = requests

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]
        """Parse `data`.

        Raises:
            HttpParserError: the bytes are not HTTP/1.1.
        """
        parser: httptools.HttpRequestParser = self
        rest = memoryview(data)
        while True:
            try:
                httptools.HttpRequestParser.feed_data(parser, rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                parser = self._requests.parse_without_upgrade()
            else:
                return
