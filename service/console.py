"""How the commands speak: sentences on standard error, results on standard output."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer
from rich.console import Console

from engines.errors import EngineError
from service.readers import RemoteFailed
from service.tables import OutputRefused

P = ParamSpec("P")
say = Console(stderr=True, highlight=False, soft_wrap=True)


def tell(line: str) -> None:
    """Print a line as it is, brackets included."""
    say.print(line, markup=False)


def told(command: Callable[P, None]) -> Callable[P, None]:
    """End with a sentence instead of a traceback where the engines know what is wrong."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (EngineError, OutputRefused, RemoteFailed) as error:
            tell(f"emotions: {error}")
            raise typer.Exit(1) from error

    return wrapper
