"""Query parameters and the deadline header of a request, and their description for OpenAPI."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analysis.types import Options, Orientation
from service import names
from service.errors import InvalidRequestError
from service.values import MIN_FACE_WANTED, Fraction, MinFace

MAX_FACES: Final = 1000
DEADLINE: Final = "X-Request-Deadline-Ms"
# A header with "deadline" in its name that is this similar to ours is a misspelling of it.
SIMILARITY: Final = 0.65
# A field of a form or a key of JSON that is this similar to a parameter is a misplaced parameter.
MISPLACED: Final = 0.75
# What a value must be.
WANTED: Final = {
    "min_score": "a number from 0 to 1, such as 0.9",
    "max_faces": f"a whole number from 1 to {MAX_FACES}",
    "min_face": MIN_FACE_WANTED,
    "orientation": "exif or auto",
    "min_quality": "a number from 0 to 1, such as 0.5",
    "embeddings": "true or false",
    DEADLINE: "a whole number of milliseconds, at least 1",
}
Model = TypeVar("Model", bound=BaseModel)


class Query(BaseModel):
    """The query parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: Fraction | None = Field(
        default=None, description="Minimum detection score of a face"
    )
    max_faces: Annotated[int, Field(ge=1, le=MAX_FACES)] | None = Field(
        default=None, description="Maximum number of faces per image"
    )
    min_face: MinFace | None = Field(
        default=None,
        description="Smallest face to find, in pixels of the image as sent; `auto` depends on the "
        "size of the image, and `fast` detects once at 640x640",
    )
    orientation: Orientation | None = Field(
        default=None,
        description="`exif` relies on the orientation that the file states; `auto` also looks "
        "for faces on their side or upside down if none is surely upright",
    )
    min_quality: Fraction | None = Field(default=None, description="Minimum quality of a face")
    embeddings: bool = Field(default=False, description="Return identity embeddings")
    labels: str | None = Field(
        default=None, description="Compute the softmax over these labels only, separated by commas"
    )

    def options(self, defaults: Options) -> Options:
        """Return the options of an image, with defaults for the parameters that are absent."""
        return defaults._replace(**self.model_dump(exclude={"labels"}, exclude_none=True))


NO_QUERY: Final = Query()
# Query parameters by the headers that they are sent as by mistake.
HEADERS: Final = {
    f"{start}{spelling}".encode(): name
    for name in Query.model_fields
    for start in ("", "x-")
    for spelling in (name, name.replace("_", "-"))
}


class Header(BaseModel):
    """The header with the time limit of a request."""

    deadline_ms: Annotated[int, Field(ge=1)] | None = Field(
        default=None, alias=DEADLINE, description="Maximum time for this request"
    )


def parse_query(request: Request) -> Query:
    """Parse the query parameters.

    Raises:
        InvalidRequestError: a parameter is unknown, repeated or has a wrong value; the message
            names it.
    """
    if not request.scope["query_string"]:
        return NO_QUERY
    given = request.query_params.multi_items()
    values = dict(given)
    if len(values) < len(given):
        sent = [name for name, _ in given]
        repeated = next(name for name in sent if sent.count(name) > 1)
        raise InvalidRequestError(f"{repeated:.{names.MAX_LENGTH}}: give it once")
    return _validate(Query, values)


def choose_labels(labels: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels in the parameter, in its order, by default all.

    Raises:
        InvalidRequestError: a label is empty, unknown or repeated.
    """
    if labels is None:
        return known
    chosen = tuple(label.strip() for label in labels.split(","))
    for label in chosen:
        if not label:
            raise InvalidRequestError(f"labels: a name is empty; known are {', '.join(known)}")
        if label not in known:
            raise InvalidRequestError(f"labels: {names.unknown(label, 'label', known)}")
        if chosen.count(label) > 1:
            raise InvalidRequestError(f"labels: {label} is given twice; give it once")
    return chosen


def time_limit(request: Request, maximum_s: float) -> float:
    """Return the time limit of the request in seconds: its header, but at most `maximum_s`.

    Raises:
        InvalidRequestError: the header is misspelt, repeated, or not a whole number of at least 1;
            or an option is sent as a header.
    """
    _reject_lost_headers(request)
    values = request.headers.getlist(DEADLINE)
    if not values:
        return maximum_s
    if len(values) > 1:
        raise InvalidRequestError(f"{DEADLINE}: give it once")
    given_ms = _validate(Header, {DEADLINE: values[0]}).deadline_ms
    return maximum_s if given_ms is None else min(given_ms, maximum_s * 1000) / 1000


def _reject_lost_headers(request: Request) -> None:
    """Reject a header that resembles an option; proxies add headers, so others are ignored."""
    for raw, _ in request.headers.raw:
        if raw in HEADERS:
            raise _misplaced(raw.decode(), "header", HEADERS[raw])
        if b"deadline" in raw and raw != DEADLINE.lower().encode():
            name = raw.decode("latin-1")
            if name == "deadline" or names.nearest(name, [DEADLINE], SIMILARITY):
                raise InvalidRequestError(
                    f"{name:.{names.MAX_LENGTH}}: unknown header; did you mean {DEADLINE}?"
                )


def _misplaced(name: str, place: str, option: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{name:.{names.MAX_LENGTH}}: unknown {place}; send it as a query parameter, ?{option}=…"
    )


def unknown_field(name: str, place: str, known: Iterable[str]) -> InvalidRequestError:
    """Return the error of an unknown name in a body: a misspelt one, or a misplaced option."""
    known = list(known)
    option = names.nearest(name, Query.model_fields, MISPLACED)
    if option is None or names.nearest(name, known):
        return InvalidRequestError(names.unknown(name, place, known))
    return _misplaced(name, place, option)


def _validate(model: type[Model], values: dict[str, str]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise InvalidRequestError(_unknown_parameter(name)) from error
        raise InvalidRequestError(
            f"{name}: give {WANTED[name]}, not {first['input']!r:.{names.MAX_LENGTH}}"
        ) from error


def _unknown_parameter(name: str) -> str:
    if not names.nearest(name, Query.model_fields) and names.nearest(name, [DEADLINE, "deadline"]):
        return f"{name:.{names.MAX_LENGTH}}: unknown parameter; send it as a header, {DEADLINE}: …"
    return names.unknown(name, "parameter", Query.model_fields)


def openapi_parameters() -> list[dict[str, Any]]:
    """Describe the parameters for OpenAPI."""
    return [
        _parameter(name, place, schema)
        for model, place in ((Query, "query"), (Header, "header"))
        for name, schema in model.model_json_schema()["properties"].items()
    ]


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    if schema["default"] is None:  # an absent parameter is not null
        del schema["default"]
    return {
        "name": name,
        "in": place,
        "required": False,
        "schema": schema,
        "description": schema["description"],
    }
