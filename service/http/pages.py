"""The web page at `/`: its few files, each served under a policy that lets nothing else in."""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
# Only our own files run, and pictures of the person's own disk or camera are shown (blob:).
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
LINK = '<a href="docs">API</a>'
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",  # asked for again each time, and answered 304 by its ETag
}


class Files(StaticFiles):
    """A folder of files, each under the page's policy."""

    def file_response(
        self,
        full_path: "str | os.PathLike[str]",
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(HEADERS)
        return response


def install(app: FastAPI, docs: bool) -> Files:
    """Serve the page at `/` and its files, which are returned, below `/static`.

    Without `docs` the page has no link to them.
    """
    files = Files(directory=STATIC)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        if docs:
            return await files.get_response("index.html", request.scope)
        return HTMLResponse((STATIC / "index.html").read_text().replace(LINK, ""), headers=HEADERS)

    app.mount("/static", files, name="static")
    return files
