"""What FastAPI cannot see of the main route: parameters, bodies, lines, problems."""

from typing import Any

import msgspec

from analysis.document import FirstLine, Frames, ImageResult, LastLine, Problem
from analysis.errors import ServiceError
from service.http.body import FIELD, IMAGE_TYPES, MSGPACK_TYPES
from service.http.parameters import described
from service.http.streaming import TYPES
from service.http.urls import LONGEST

ANSWER = (
    "The results in the order of the request, as one document or, to a client whose `Accept` "
    "prefers it, as lines that leave one by one"
)
LINES = (
    "Each line is one of these: first the models; then an image's result a line, in the order of "
    "the request, as soon as it and those before it are done; last how it ended. An answer "
    "without that last line was cut off. What goes wrong before the first image is done is "
    "answered with a status of its own; what ends the work later is the last line's `problem`."
)
_BINARY = {"type": "string", "format": "binary"}
_FORM = {
    "type": "object",
    "required": [FIELD],
    "properties": {FIELD: {"type": "array", "minItems": 1, "items": _BINARY}},
}


def _frames() -> dict[str, Any]:
    (schema,), components = msgspec.json.schema_components(
        [Frames], ref_template="#/components/schemas/{name}"
    )
    name = schema["$ref"].rpartition("/")[2]
    frames: dict[str, Any] = components[name]
    frame = components["Frame"]
    # What `Frame` says in code, which its types cannot.
    frame["oneOf"] = [{"required": ["data"]}, {"required": ["url"]}]
    frame["properties"]["url"] |= {"format": "uri", "maxLength": LONGEST}
    frames["properties"]["images"]["items"] = frame
    return frames


def _problems() -> dict[int | str, dict[str, Any]]:
    """Each status that the error tree can give, with the codes it may bear."""
    kinds: dict[int, list[type[ServiceError]]] = {}
    pending = [ServiceError]
    while pending:
        kind = pending.pop(0)
        children = kind.__subclasses__()
        pending += children
        if "code" in vars(kind):
            kinds.setdefault(int(kind.status), []).append(kind)
    return {status: _problem(kinds[status]) for status in sorted(kinds)}


def _problem(kinds: list[type[ServiceError]]) -> dict[str, Any]:
    lines = (f"`{kind.code}`: {kind.__doc__}" for kind in kinds)
    return {
        "description": "\n".join(lines),
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }


def _lines() -> dict[int | str, dict[str, Any]]:
    """The answer as lines, beside the one document that FastAPI describes."""
    kinds = [_whole(kind.model_json_schema()) for kind in (FirstLine, ImageResult, LastLine)]
    first, *others = TYPES
    content: dict[str, Any] = {first: {"schema": {"description": LINES, "oneOf": kinds}}}
    content |= {kind: {"schema": {"description": f"See {first}."}} for kind in others}
    return {200: {"description": ANSWER, "content": content}}


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with what it refers to in place: its definitions are none of the document's."""
    known: dict[str, Any] = schema.pop("$defs", {})

    def written(node: Any) -> Any:
        if isinstance(node, list):
            return [written(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return written(known[node["$ref"].rpartition("/")[2]])
        return {key: written(value) for key, value in node.items()}

    found: dict[str, Any] = written(schema)
    return found


ANALYZE: dict[str, Any] = {
    "responses": _lines() | _problems(),
    "openapi_extra": {
        "parameters": described(),
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": _FORM},
                **{kind: {"schema": _BINARY} for kind in IMAGE_TYPES},
                "application/json": {"schema": _frames()},
                MSGPACK_TYPES[0]: {"schema": _frames()},
            },
        },
    },
}
