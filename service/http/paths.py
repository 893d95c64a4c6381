"""Paths as clients and proxies send them: below a prefix, or with a slash too many."""

from starlette.types import ASGIApp, Receive, Scope, Send

METRICS = "/metrics"


class Paths:
    """ASGI middleware that reduces a path to that of a route.

    A proxy may remove the prefix `root_path` or leave it: both are served. A slash too many, as in
    `/v1/emotions/` or `//v1/emotions`, is ignored. A redirect would lose the body in many clients,
    and would need the scheme and the host that the client used. `OPTIONS *` counts as `OPTIONS /`.

    Only `/metrics` has no other spelling, so that one rule of a proxy hides it.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["root_path"] = self._root_path
            scope["path"] = self._root_path + self._below(scope["path"])
        await self._app(scope, receive, send)

    def _below(self, sent: str) -> str:
        """Return the path below the prefix."""
        path = "/" + ("" if sent == "*" else sent.strip("/"))
        if f"{path}/".startswith(f"{self._root_path}/"):
            path = "/" + path.removeprefix(self._root_path).strip("/")
        return sent if path == METRICS else path
