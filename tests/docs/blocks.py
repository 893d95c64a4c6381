"""The fenced blocks of a page."""

import re
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[2] / "docs"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block, and the one that follows it: what it prints, if that is JSON."""

    page: str
    language: str
    text: str
    printed: str | None


def blocks(page: str, *languages: str) -> list[Block]:
    """The blocks of a page that are in one of these languages."""
    found = _FENCE.findall((DOCS / page).read_text())
    following = [*found[1:], ("", "")]
    return [
        Block(page, kind, text, after if next_kind == "json" else None)
        for (kind, text), (next_kind, after) in zip(found, following, strict=True)
        if kind in languages
    ]
