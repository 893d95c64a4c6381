"""Messages on standard error, one line each; results go to standard output."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer
from pydantic import ValidationError
from rich.console import Console

from engines.errors import EngineError
from offline.errors import CommandError
from service.settings import Settings
from service.wrong_settings import explain

P = ParamSpec("P")
# Jupyter sets FORCE_COLOR for the commands in a notebook, and rich would show them bars.
console = Console(
    stderr=True,
    highlight=False,
    emoji=False,
    soft_wrap=True,
    force_terminal=sys.stderr.isatty(),
)


def print_line(line: str) -> None:
    """Print a line without markup, so that brackets stay."""
    console.print(line, markup=False)


def report_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Print known errors as one line and exit with status 1; others keep their traceback."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:  # of standard output; typer handles it
            raise
        except (EngineError, CommandError) as error:
            raise _failed(str(error)) from error
        except ValidationError as error:
            if error.title != Settings.__name__:
                raise
            raise _failed(_wrong_settings(error)) from error
        except OSError as error:
            raise _failed(_file_error(error)) from error

    return wrapper


def _wrong_settings(error: ValidationError) -> str:
    return f"{explain(Settings, error)}; correct it in the environment or on the command line"


def _file_error(error: OSError) -> str:
    file = f"{error.filename}: " if error.filename else ""
    fix = "make room there, or let this user read and write it (EMOTIONS_PLANS, TMPDIR)"
    return f"{file}{error.strerror or error}; {fix}"


def _failed(message: str) -> typer.Exit:
    print_line(f"emotions: {message}")
    return typer.Exit(1)
