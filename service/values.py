"""Types of values that settings and query parameters have in common."""

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

# The smallest and the largest face that may be wanted, in pixels.
MIN_FACE_FROM: Final = 12
MIN_FACE_TO: Final = 10_000
MIN_FACE_WANTED: Final = (
    f"auto, fast, or a whole number of pixels from {MIN_FACE_FROM} to {MIN_FACE_TO}"
)


def _in_one_sentence(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    """Replace the errors of the parts of a union, one each, by one error."""
    try:
        return validate(value)
    except ValidationError:
        raise PydanticCustomError("min_face", f"Input should be {MIN_FACE_WANTED}") from None


Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Pixels = Annotated[int, Field(ge=MIN_FACE_FROM, le=MIN_FACE_TO)]
# See `analysis.types.MinFace`.
MinFace = Annotated[_Pixels | Literal["auto", "fast"], WrapValidator(_in_one_sentence)]
