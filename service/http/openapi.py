"""The parts of the OpenAPI document that FastAPI cannot derive from the code."""

from typing import Any

import msgspec
from fastapi import FastAPI, Security
from fastapi.params import Security as SecurityDependency
from fastapi.security import APIKeyHeader, HTTPBearer

from analysis.document import ImageResult
from analysis.errors import ServiceError, kinds
from service.http.accept import LINE_TYPES
from service.http.documents import FirstLine, Frames, LastLine, Problem
from service.http.forms import FIELD
from service.http.media import IMAGE_TYPES, MSGPACK_TYPES, URLENCODED
from service.http.parameters import openapi_parameters
from service.http.urls import MAX_LENGTH

ANSWER = (
    "The results in the order of the request: one document or, if `Accept` prefers it, JSON Lines "
    "that are sent one by one"
)
BODY = (
    "The bytes decide what a body is; the content type matters only if they fit several kinds of "
    "body. The body may be compressed: `Content-Encoding` is `gzip`, `deflate` or `zstd`."
)
LINES = (
    "Each line is one of these: first the models; then one result per image, in the order of the "
    "request, as soon as it and all results before it are done; last a line with `end`. An answer "
    "without that last line was cut off. An error before the first result is answered with a "
    "status of its own; a later error is the `problem` of the last line."
)
_BINARY = {"type": "string", "format": "binary"}
_FORM = {
    "type": "object",
    "required": [FIELD],
    "properties": {FIELD: {"type": "array", "minItems": 1, "items": _BINARY}},
}
_TEXT_FORM = {
    "type": "object",
    "required": [FIELD],
    "properties": {FIELD: {"type": "string", "contentEncoding": "base64"}},
}
# The two ways to send a key. They are for the description only; `auth.authorize` checks the key.
SECURITY: list[SecurityDependency] = [
    Security(HTTPBearer(auto_error=False)),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
]


def make_keys_optional(app: FastAPI) -> None:
    """Describe the key as optional, for a service without keys; clients may still send one."""
    describe = app.openapi  # FastAPI documents that it may be replaced

    def openapi() -> dict[str, Any]:
        document = describe()
        for path in document["paths"].values():
            for operation in path.values():
                security = operation.get("security")
                if security and {} not in security:
                    security.append({})
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _frames() -> dict[str, Any]:
    (schema,), components = msgspec.json.schema_components(
        [Frames], ref_template="#/components/schemas/{name}"
    )
    name = schema["$ref"].rpartition("/")[2]
    frames: dict[str, Any] = components[name]
    frame = components["Frame"]
    # `Frame` checks this in code; its types cannot express it.
    frame["oneOf"] = [
        {"required": [name], "properties": {name: {"type": "string"}}} for name in ("data", "url")
    ]
    frame["properties"]["url"] |= {"format": "uri", "maxLength": MAX_LENGTH}
    frames["properties"]["images"]["items"] = frame
    return frames


def _problems() -> dict[int | str, dict[str, Any]]:
    """Describe each status in the tree of errors, with its codes."""
    by_status: dict[int, list[type[ServiceError]]] = {}
    for kind in kinds():
        by_status.setdefault(int(kind.status), []).append(kind)
    return {status: _problem(by_status[status]) for status in sorted(by_status)}


def _problem(errors: list[type[ServiceError]]) -> dict[str, Any]:
    lines = (f"`{error.code}`: {(error.__doc__ or '').splitlines()[0]}" for error in errors)
    return {
        "description": "\n".join(lines),
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }


def _lines() -> dict[int | str, dict[str, Any]]:
    """Describe the answer as JSON Lines; FastAPI describes the one document."""
    kinds = [_inline(kind.model_json_schema()) for kind in (FirstLine, ImageResult, LastLine)]
    first, *others = LINE_TYPES
    content: dict[str, Any] = {first: {"schema": {"description": LINES, "oneOf": kinds}}}
    content |= {kind: {"schema": {"description": f"See {first}."}} for kind in others}
    return {200: {"description": ANSWER, "content": content}}


def _inline(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace references by their definitions, which the OpenAPI document lacks."""
    definitions: dict[str, Any] = schema.pop("$defs", {})

    def inline(node: Any) -> Any:
        if isinstance(node, list):
            return [inline(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return inline(definitions[node["$ref"].rpartition("/")[2]])
        return {key: inline(value) for key, value in node.items()}

    found: dict[str, Any] = inline(schema)
    return found


ANALYZE: dict[str, Any] = {
    "responses": _lines() | _problems(),
    "openapi_extra": {
        "parameters": openapi_parameters(),
        "requestBody": {
            "description": BODY,
            "required": True,
            "content": {
                "multipart/form-data": {"schema": _FORM},
                **{kind: {"schema": _BINARY} for kind in IMAGE_TYPES},
                "application/octet-stream": {"schema": _BINARY},
                URLENCODED: {"schema": _TEXT_FORM},
                "application/json": {"schema": _frames()},
                MSGPACK_TYPES[0]: {"schema": _frames()},
            },
        },
    },
}
