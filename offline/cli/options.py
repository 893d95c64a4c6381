"""Options that several commands share."""

from typing import Annotated, Any

import typer

from engines.catalog import Precision
from engines.select import ENGINES
from service.settings import Settings

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


def settings_with(**options: Any) -> Settings:
    """Return the settings; options that are not None have precedence over the environment."""
    return Settings(**{name: value for name, value in options.items() if value is not None})
