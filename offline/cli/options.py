"""Options that several commands share."""

from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from analysis.types import Orientation
from engines.catalog import Precision
from engines.select import ENGINES
from service import values
from service.settings import Settings


def _min_face(text: str) -> Any:
    try:
        return TypeAdapter(values.MinFace).validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(f"Input should be {values.MIN_FACE_WANTED}") from error


Names = Annotated[
    list[str] | None, typer.Argument(help="Models; by default those that the settings name")
]
EngineName = Annotated[str | None, typer.Option("--engine", help=f"auto, {', '.join(ENGINES)}")]
PrecisionName = Annotated[
    Precision | None, typer.Option("--precision", help="Precision of the plans")
]
Capability = Annotated[
    str | None, typer.Option(help="Compute capability of the GPU to build for, e.g. 8.9")
]
Url = Annotated[
    str | None, typer.Option(help="Send the images to the service there, and run no networks here")
]

# Infinite numbers pass a minimum alone.
Fps = Annotated[
    float | None,
    typer.Option(min=0.01, max=1000, help="Frames per second to analyze of a video"),
]
MinScore = Annotated[float | None, typer.Option(min=0, max=1, help="Lowest confidence of a face")]
MinFace = Annotated[
    str | None,
    typer.Option(
        parser=_min_face,
        metavar="auto|fast|N",
        help="Smallest face to find, in pixels of the image",
    ),
]
Turns = Annotated[
    Orientation | None,
    typer.Option(help="auto also finds faces in images that are turned or upside down"),
]
MinQuality = Annotated[float | None, typer.Option(min=0, max=1, help="Lowest quality of a face")]


def settings_with(**options: Any) -> Settings:
    """Return the settings; options that are not None have precedence over the environment."""
    return Settings(**{name: value for name, value in options.items() if value is not None})
