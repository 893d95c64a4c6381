"""How the commands speak: sentences on standard error, results on standard output."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer
from pydantic import ValidationError
from rich.console import Console

from engines.errors import EngineError
from offline.analyzers import RemoteError
from offline.tables import OutputError
from service.settings import Settings, wrong

P = ParamSpec("P")
say = Console(stderr=True, highlight=False, soft_wrap=True)


def tell(line: str) -> None:
    """Print a line as it is, brackets included."""
    say.print(line, markup=False)


def told(command: Callable[P, None]) -> Callable[P, None]:
    """End with a sentence instead of a traceback where it is known what is wrong."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (EngineError, OutputError, RemoteError) as error:
            raise _ended(str(error)) from error
        except ValidationError as error:
            if error.title != Settings.__name__:
                raise
            fix = "correct it in the environment or on the command line"
            raise _ended(f"{wrong(Settings, error)}; {fix}") from error
        except OSError as error:
            if isinstance(error, BrokenPipeError):  # of standard output: typer knows what to do
                raise
            where = f"{error.filename}: " if error.filename else ""
            fix = "make room there, or let this user read and write it (EMOTIONS_PLANS, TMPDIR)"
            raise _ended(f"{where}{error.strerror or error}; {fix}") from error

    return wrapper


def _ended(sentence: str) -> typer.Exit:
    tell(f"emotions: {sentence}")
    return typer.Exit(1)
