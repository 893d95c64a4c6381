"""What FastAPI cannot see of the main route by itself: four request bodies and the problems."""

from typing import Any

import msgspec

from service import errors
from service.bodies import FIELD, IMAGE_TYPES, MSGPACK_TYPES
from service.schemas import Frames, Problem

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
    frames["properties"]["images"]["items"] = components["Frame"]
    return frames


def _problems() -> dict[int | str, dict[str, Any]]:
    """Each status that the error tree can give, with the codes it may bear."""
    kinds: dict[int, list[type[errors.ServiceError]]] = {}
    pending = [errors.ServiceError]
    while pending:
        kind = pending.pop(0)
        children = kind.__subclasses__()
        pending += children
        if "code" in vars(kind):
            kinds.setdefault(int(kind.status), []).append(kind)
    return {status: _problem(kinds[status]) for status in sorted(kinds)}


def _problem(kinds: list[type[errors.ServiceError]]) -> dict[str, Any]:
    lines = (f"`{kind.code}`: {kind.__doc__}" for kind in kinds)
    return {
        "description": "\n".join(lines),
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }


ANALYZE: dict[str, Any] = {
    "responses": _problems(),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": _FORM},
                **{kind: {"schema": _BINARY} for kind in IMAGE_TYPES},
                "application/json": {"schema": _frames()},
                MSGPACK_TYPES[0]: {"schema": _frames()},
            },
        }
    },
}
