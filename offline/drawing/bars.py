"""Bars side by side: several measures of the same few things."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from engines.disk import atomic_write
from offline.drawing.style import DARK, Colour, font

WIDTH, ROW, HEAD, GAP = 340, 52, 44, 20
LETTERS, THICK = 14, 18
# Room for the letters after the longest bar.
VALUE = 64
# Letters that fit into a panel.
LONGEST = 40
# M. Okabe, K. Ito, "Color universal design", 2008: for people with colour blindness, too.
PALETTE: tuple[Colour, ...] = (
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0),
)  # fmt: skip


class Bar(NamedTuple):
    """A value from 0 on, its text, and its interval, if it has one."""

    name: str
    value: float
    text: str
    interval: tuple[float, float] | None = None


class Panel(NamedTuple):
    """A measure, with a bar per thing."""

    title: str
    bars: Sequence[Bar]


def draw_panels(panels: Sequence[Panel], out: Path) -> None:
    """Draw panels with equally many bars; a thing has the same colour in all of them."""
    rows = max(len(panel.bars) for panel in panels)
    size = (GAP + len(panels) * (WIDTH + GAP), HEAD + rows * ROW + GAP)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for number, panel in enumerate(panels):
        _panel(draw, GAP + number * (WIDTH + GAP), panel)
    with atomic_write(out) as temporary:
        image.save(temporary, "PNG")


def _panel(draw: Any, x: int, panel: Panel) -> None:
    draw.text((x, HEAD / 2), panel.title, DARK, font(LETTERS + 2), anchor="lm")
    ends = [max(bar.value, *(bar.interval or (0,))) for bar in panel.bars]
    scale = (WIDTH - VALUE) / (max(ends) or 1)
    for number, bar in enumerate(panel.bars):
        y = HEAD + number * ROW
        draw.text((x, y), bar.name[:LONGEST], DARK, font(LETTERS), anchor="lt")
        top = y + LETTERS + 6
        right = x + max(1, round(bar.value * scale))
        draw.rectangle((x, top, right, top + THICK), fill=PALETTE[number % len(PALETTE)])
        end = max(right, _interval(draw, x, top + THICK / 2, bar, scale))
        draw.text((end + 8, top + THICK / 2), bar.text, DARK, font(LETTERS), anchor="lm")


def _interval(draw: Any, x: int, middle: float, bar: Bar, scale: float) -> float:
    """Draw the interval as a whisker; return its right end."""
    if bar.interval is None:
        return x
    left, right = (x + end * scale for end in bar.interval)
    draw.line((left, middle, right, middle), DARK, 1)
    for end in (left, right):
        draw.line((end, middle - 4, end, middle + 4), DARK, 1)
    return right
