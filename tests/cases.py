"""Rows of the tables in `docs/robustness.md`: each belongs to the test that proves it."""

from collections.abc import Iterable
from typing import NamedTuple


class Case(NamedTuple):
    """An input, what a user would expect of it, and what happens."""

    input: str
    expected: str
    happens: str


def table(cases: Iterable[Case]) -> str:
    """Return the cases as a table in Markdown."""
    rows = (f"| {case.input} | {case.expected} | {case.happens} |" for case in cases)
    return "\n".join(("| input | expected | what happens |", "|---|---|---|", *rows))
