"""API keys: who may ask."""

import hmac

from fastapi import Request

from service.errors import Unauthorized
from service.settings import Settings


def authorize(request: Request) -> None:
    """Let a request through that shows a valid key, or any where no keys are set.

    A key comes as `Authorization: Bearer KEY` or `X-API-Key: KEY`. All keys are compared, each
    in constant time, so that an answer's time tells nothing of them.

    Raises:
        Unauthorized: no key, or none that is valid.
    """
    settings: Settings = request.app.state.settings
    keys = [key.get_secret_value().encode() for key in settings.api_keys]
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    shown = bearer if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    matches = [hmac.compare_digest(shown.strip().encode(), key) for key in keys]
    if keys and not any(matches):
        raise Unauthorized("show a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`")
