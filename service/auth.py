"""Who may ask, and how much at once."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.params import Security as SecurityDependency
from fastapi.security import APIKeyHeader, HTTPBearer

from service.errors import Unauthorized
from service.keyring import KeyRing
from service.shares import Share, Shares

# They check nothing, and are there for the description alone; `authorize` does the work.
SCHEMES = (HTTPBearer(auto_error=False), APIKeyHeader(name="X-API-Key", auto_error=False))


def described(keys: KeyRing) -> list[SecurityDependency]:
    """What routes depend on so that the API's description names the two ways to show a key."""
    return [Security(scheme) for scheme in SCHEMES] if keys.required else []


async def authorize(request: Request) -> str | None:
    """Let a request through that shows a valid key, or any where no keys are set.

    A key comes as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Its name is left where the
    log and the metrics find it.

    Returns:
        The key's name, or None where no keys are set.

    Raises:
        Unauthorized: no key, or none that is valid.
    """
    keys: KeyRing = request.app.state.keys
    if not keys.required:
        return None
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    shown = bearer if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    name = keys.owner(shown.strip())
    if name is None:
        raise Unauthorized("show a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`")
    request.state.key = name
    return name


async def share_of(
    request: Request, key: Annotated[str | None, Depends(authorize)]
) -> AsyncIterator[Share]:
    """Count the request against its key until the last byte of its answer has left.

    Raises:
        TooManyRequests: the key has as much under way as it may.
    """
    shares: Shares = request.app.state.shares
    with shares.take(key) as share:
        yield share
