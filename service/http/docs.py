"""The API's description at `/docs`, without a file from anywhere else."""

from fastapi import FastAPI, Request, Response

from service.http.pages import Files

SWAGGER = ("fastapi_swagger", "resources")
# Swagger UI draws its arrows from `data:` in its style sheet, and writes HTML of its own making,
# which trusted types would forbid.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def install(app: FastAPI, static: Files) -> None:
    """Serve `static`'s docs.html at `/docs` and Swagger UI's files below `/swagger`."""

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def docs(request: Request) -> Response:
        response = await static.get_response("docs.html", request.scope)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    app.mount("/swagger", Files(packages=[SWAGGER]), name="swagger")
