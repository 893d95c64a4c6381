"""What a training cannot begin or go on with, and how the command lines tell it."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from engines.errors import EngineError
from tensorrtx.errors import WeightsError

Value = TypeVar("Value")


class TrainingError(ValueError):
    """Options, a run or pictures that do not go together; the message names the fix."""


@contextmanager
def told(parser: ArgumentParser) -> Iterator[None]:
    """End the program with a sentence where a user can help it; what else fails keeps its trace."""
    try:
        yield
    except (TrainingError, EngineError, WeightsError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        parser.exit(1, f"{parser.prog}: {where}{error.strerror or error}\n")


def option(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return ``parse`` as the type of an option, whose ``ValueError`` argparse tells in full."""

    def parsed(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from error

    return parsed
