"""The tables of `docs/robustness.md` that tests prove; `python -m tests.docs.pages` writes them."""

import re
from collections.abc import Iterable

from tests.cases import Case, table
from tests.docs.blocks import DOCS

PAGE = DOCS / "robustness.md"
BLOCK = re.compile(r"(<!-- cases (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
TABLES: dict[str, Iterable[Case]] = {}


def page() -> str:
    """Return the page with its tables as the tests have them."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{table(TABLES[m[2]])}\n\n{m[3]}", PAGE.read_text())
