"""The web page at `/` and the API description at `/docs`, under strict content policies."""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
SWAGGER = ("fastapi_swagger", "resources")
DOCS_LINK = '<a href="docs">API</a>'
STRICT = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
# The page shows images from the disk or the camera of the person (blob:).
PAGE_POLICY = "; ".join(
    (
        *STRICT,
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "require-trusted-types-for 'script'",
    )
)
# Swagger UI's style sheet has images as `data:`. Its scripts write HTML, so they cannot run with
# trusted types.
DOCS_POLICY = "; ".join((*STRICT, "img-src 'self' data:"))
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",  # browsers revalidate by ETag and get 304
}


class Files(StaticFiles):
    """Static files with the headers of the page."""

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


def install(app: FastAPI, docs: bool) -> None:
    """Serve the page at `/` and, with `docs`, Swagger UI at `/docs`."""
    files = Files(directory=STATIC)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        if docs:
            return await files.get_response("index.html", request.scope)
        text = (STATIC / "index.html").read_text()
        return HTMLResponse(text.replace(DOCS_LINK, ""), headers=HEADERS)

    app.mount("/static", files, name="static")
    if docs:
        _install_docs(app, files)


def _install_docs(app: FastAPI, files: Files) -> None:
    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        response = await files.get_response("docs.html", request.scope)
        response.headers["Content-Security-Policy"] = DOCS_POLICY
        return response

    app.mount("/swagger", Files(packages=[SWAGGER]), name="swagger")
