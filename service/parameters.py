"""What a request may ask for beside its body: read at once, and described from the same model."""

from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, Field, ValidationError

from service.errors import InvalidRequest

MOST_FACES: Final = 1000
DEADLINE: Final = "X-Request-Deadline-Ms"


class Parameters(BaseModel):
    """The query of a request and the header that is its deadline."""

    min_score: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Least score"
    )
    max_faces: Annotated[int, Field(ge=1, le=MOST_FACES)] | None = Field(
        default=None, description="Most faces"
    )
    embeddings: bool = Field(default=False, description="Return identity embeddings")
    labels: str | None = Field(default=None, description="Softmax over these labels only")
    deadline_ms: Annotated[int, Field(ge=1)] | None = Field(
        default=None, alias=DEADLINE, description="Time for this request, at most"
    )


def parameters(request: Request) -> Parameters:
    """Read what is asked for; FastAPI's own way takes longer than all else that the route does.

    Raises:
        InvalidRequest: a value that is not allowed; the message names its parameter.
    """
    query = request.scope["query_string"].decode("latin-1")
    given = dict(parse_qsl(query, keep_blank_values=True))
    given.pop(DEADLINE, None)
    if (deadline := request.headers.get(DEADLINE)) is not None:
        given[DEADLINE] = deadline
    try:
        return Parameters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidRequest(f"{first['loc'][0]}: {first['msg']}") from error


def described() -> list[dict[str, Any]]:
    """The parameters as OpenAPI's."""
    return [
        _described(name, schema)
        for name, schema in Parameters.model_json_schema()["properties"].items()
    ]


def _described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if schema["default"] is None:  # what is left out is not null
        del schema["default"]
    return {
        "name": name,
        "in": "header" if name == DEADLINE else "query",
        "required": False,
        "schema": schema,
        "description": schema["description"],
    }
