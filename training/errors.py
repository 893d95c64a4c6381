"""The error of the trainings, and how every command line reports errors."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from engines.errors import EngineError
from tensorrtx.errors import WeightsError

Value = TypeVar("Value")


class TrainingError(ValueError):
    """Options, runs or pictures that do not fit together; the message names the fix."""


@contextmanager
def reported(parser: ArgumentParser) -> Iterator[None]:
    """End the program with one line for errors that a user can fix; others keep their traceback."""
    try:
        yield
    except (TrainingError, EngineError, WeightsError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        parser.exit(1, f"{parser.prog}: {where}{error.strerror or error}\n")


def option(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return ``parse`` as the type of an option; argparse shows the text of its ``ValueError``."""

    def parsed(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from error

    return parsed
