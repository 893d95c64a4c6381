"""Checks the API keys of requests."""

from fastapi import Request, Security
from fastapi.params import Security as SecurityDependency
from fastapi.security import APIKeyHeader, HTTPBearer

from service.errors import UnauthorizedError
from service.http.keyring import KeyRing

# Only for OpenAPI's description; `authorize` checks keys.
SCHEMES = (HTTPBearer(auto_error=False), APIKeyHeader(name="X-API-Key", auto_error=False))


def described(keys: KeyRing) -> list[SecurityDependency]:
    """Dependencies of routes, from which OpenAPI's description names the two ways to show a key."""
    return [Security(scheme) for scheme in SCHEMES] if keys.required else []


async def authorize(request: Request) -> str | None:
    """Require a valid key, unless no keys are set.

    A key comes as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Its name is stored in the
    request's state, where log and metrics find it.

    Returns:
        The key's name, or None where no keys are set.

    Raises:
        UnauthorizedError: no key, or none that is valid.
    """
    keys: KeyRing = request.app.state.keys
    if not keys.required:
        return None
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    shown = bearer if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    name = keys.owner(shown.strip())
    if name is None:
        raise UnauthorizedError(
            "show a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
        )
    request.state.key = name
    return name
