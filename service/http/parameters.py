"""Query parameters and the deadline header of a request, and their description for OpenAPI."""

from typing import Annotated, Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import InvalidRequestError

MOST_FACES: Final = 1000
DEADLINE: Final = "X-Request-Deadline-Ms"
LONGEST_NAME = 64
Model = TypeVar("Model", bound=BaseModel)


class Query(BaseModel):
    """The query parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Least score"
    )
    max_faces: Annotated[int, Field(ge=1, le=MOST_FACES)] | None = Field(
        default=None, description="Most faces"
    )
    embeddings: bool = Field(default=False, description="Return identity embeddings")
    labels: str | None = Field(default=None, description="Softmax over these labels only")


NO_QUERY: Final = Query()


class Header(BaseModel):
    """The header with the time limit of a request."""

    deadline_ms: Annotated[int, Field(ge=1)] | None = Field(
        default=None, alias=DEADLINE, description="Time for this request, at most"
    )


def query(request: Request) -> Query:
    """Parse the query parameters.

    Raises:
        InvalidRequestError: an unknown parameter, one that is given twice, or a value that is not
            allowed; the message names the parameter.
    """
    if not request.scope["query_string"]:
        return NO_QUERY
    given = request.query_params.multi_items()
    values = dict(given)
    if len(values) < len(given):
        names = [name for name, _ in given]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRequestError(f"{twice:.{LONGEST_NAME}}: give it once")
    return _validated(Query, values)


def time_limit(request: Request, longest_s: float) -> float:
    """Return the seconds that a request may take: as its header says, but at most `longest_s`.

    Raises:
        InvalidRequestError: the header is no whole number, or less than 1.
    """
    value = request.headers.get(DEADLINE)
    if value is None:
        return longest_s
    given_ms = _validated(Header, {DEADLINE: value}).deadline_ms
    return longest_s if given_ms is None else min(given_ms, longest_s * 1000) / 1000


def _validated(model: type[Model], values: dict[str, str]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])[:LONGEST_NAME]
        if first["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise InvalidRequestError(f"{name}: unknown parameter; known are {known}") from error
        raise InvalidRequestError(f"{name}: {first['msg']}") from error


def described() -> list[dict[str, Any]]:
    """Describe the parameters for OpenAPI."""
    return [
        _described(name, place, schema)
        for model, place in ((Query, "query"), (Header, "header"))
        for name, schema in model.model_json_schema()["properties"].items()
    ]


def _described(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    if schema["default"] is None:  # an absent parameter is not null
        del schema["default"]
    return {
        "name": name,
        "in": place,
        "required": False,
        "schema": schema,
        "description": schema["description"],
    }
