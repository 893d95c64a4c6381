"""The whole service in this process, with fake networks, on an event loop of its own."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from bench.fakes.asgi import Reply, application, ask
from service.settings import Settings
from tests.hostile.asking import Ask


@pytest.fixture(scope="session")
def fake_ask(plans: Path) -> Iterator[Ask]:
    """Send a request to it: `fake_ask(content, headers, query, path=..., method=...)`."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(application(Settings(plans=plans))) as app,
    ):

        def send(
            content: bytes, headers: Mapping[bytes, bytes], query: bytes = b"", **how: str
        ) -> Reply:
            return portal.call(lambda: ask(app, content, headers, query, **how))

        yield send
