"""Clients of the whole application in this process, without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from bench.fakes.asgi import application
from service.settings import Settings


@asynccontextmanager
async def client_of(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application in this process; its networks compute nothing."""
    async with application(settings) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client
