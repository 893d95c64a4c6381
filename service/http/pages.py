"""The web page at `/` and the API description at `/docs`, under strict content policies."""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
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
    "base-uri 'self'",
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


def install(app: FastAPI, root_path: str, *, docs: bool) -> None:
    """Serve the page at `/` and, with `docs`, Swagger UI at `/docs`."""
    app.mount("/static", Files(directory=STATIC), name="static")
    index = _html("index.html", root_path)
    _serve(app, "/", index if docs else index.replace(DOCS_LINK, ""), HEADERS)
    if docs:
        policy = HEADERS | {"Content-Security-Policy": DOCS_POLICY}
        _serve(app, "/docs", _html("docs.html", root_path), policy)
        app.mount("/swagger", Files(packages=[SWAGGER]), name="swagger")


def _html(name: str, root_path: str) -> str:
    """Return a page; behind a prefix, its relative links begin at the prefix."""
    text = (STATIC / name).read_text()
    return text.replace("<head>", f'<head>\n  <base href="{root_path}/">') if root_path else text


def _serve(app: FastAPI, path: str, text: str, headers: dict[str, str]) -> None:
    @app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        if path != "/" and request.scope["raw_path"].endswith(b"/"):
            # The links of the page are relative to its parent. A relative location holds for
            # every host, scheme and prefix.
            return RedirectResponse(f"..{path}")
        return HTMLResponse(text, headers=headers)
