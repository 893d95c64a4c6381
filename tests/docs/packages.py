"""Draws the packages and their imports: `python -m tests.docs.packages` writes the SVG.

Boxes and arrows come from the code's own imports. An arrow is left out where the import is already
implied by two others (transitive reduction), so that the drawing stays readable.
"""

import ast
import sys
from html import escape
from textwrap import wrap
from typing import NamedTuple

import grimp

from tests.docs.blocks import DOCS

ROOT = DOCS.parent
PICTURE = DOCS / "images" / "packages.svg"
SOURCES = {
    "training": ROOT,
    "bench": ROOT,
    "offline": ROOT,
    "service": ROOT,
    "analysis": ROOT,
    "engines": ROOT,
    "tensorrtx": ROOT,
    "emotions_client": ROOT / "client",
}
WIDTH, HEIGHT, GAP, ROW = 390, 82, 50, 126
# Characters per line of a box.
CHARACTERS = 64


class Box(NamedTuple):
    """A package: what it is for, its inner packages, and where it is drawn."""

    name: str
    purpose: str
    inside: list[str]
    column: int
    row: int

    @property
    def x(self) -> int:
        return GAP + self.column * (WIDTH + GAP)

    @property
    def y(self) -> int:
        return 20 + self.row * ROW


def arrows() -> set[tuple[str, str]]:
    """Pairs of packages (importer, imported) that no longer path of imports implies."""
    sys.path.insert(0, str(ROOT / "client"))
    graph = grimp.build_graph(*SOURCES, cache_dir=None)
    for name in SOURCES:
        graph.squash_module(name)
    direct = {
        (one, other)
        for one in SOURCES
        for other in graph.find_modules_directly_imported_by(one)
        if other != one
    }
    return {pair for pair in direct if not _implied(pair, direct)}


def _implied(pair: tuple[str, str], direct: set[tuple[str, str]]) -> bool:
    reached, pending = set[str](), [pair[0]]
    while pending:
        one = pending.pop()
        for other in {b for a, b in direct if a == one and (a, b) != pair} - reached:
            reached.add(other)
            pending.append(other)
    return pair[1] in reached


def _rows(pairs: set[tuple[str, str]]) -> dict[str, int]:
    """The row of each package: one below everything that imports it."""
    rows = dict.fromkeys(SOURCES, 0)
    for _ in SOURCES:
        for one, other in pairs:
            rows[other] = max(rows[other], rows[one] + 1)
    return rows


def boxes(pairs: set[tuple[str, str]]) -> dict[str, Box]:
    found: dict[str, Box] = {}
    for name, row in _rows(pairs).items():
        folder = SOURCES[name] / name
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
        purpose = text.splitlines()[0]
        inside = sorted(init.parent.name for init in folder.glob("*/__init__.py"))
        column = sum(box.row == row for box in found.values())
        found[name] = Box(name, purpose, inside, column, row)
    return found


def drawing() -> str:
    """The SVG."""
    pairs = arrows()
    placed = boxes(pairs)
    width = GAP + max(box.x + WIDTH for box in placed.values())
    height = 20 + max(box.y + HEIGHT for box in placed.values())
    parts = [_line(placed[one], placed[other]) for one, other in sorted(pairs)]
    parts += [_box(box) for box in placed.values()]
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="The packages and which of them imports which" '
        'font-family="system-ui, sans-serif" text-anchor="middle">',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#444"/></marker></defs>',
        f'<rect width="{width}" height="{height}" rx="10" fill="#fff"/>',
        *parts, "</svg>", "",
    ))  # fmt: skip


def _line(one: Box, other: Box) -> str:
    start, end = f"{one.x + WIDTH // 2} {one.y + HEIGHT}", f"{other.x + WIDTH // 2} {other.y - 2}"
    return f'<path d="M{start}L{end}" stroke="#444" fill="none" marker-end="url(#a)"/>'


def _box(box: Box) -> str:
    middle, inside = box.x + WIDTH // 2, ", ".join(box.inside)
    texts = wrap(box.purpose.replace("`", ""), CHARACTERS) + wrap(inside, CHARACTERS)
    lines = [(14, 600, box.name), *((11, 400, text) for text in texts)]
    drawn = (
        f'<text x="{middle}" y="{box.y + 20 + 18 * i}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
        for i, (size, weight, text) in enumerate(lines)
    )
    rect = f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{HEIGHT}" rx="8" '
    return rect + 'fill="#eef1fb" stroke="#4051b5"/>' + "".join(drawn)


if __name__ == "__main__":
    PICTURE.write_text(drawing())
