"""A picture once per detector, with the faces that it found, missed and found wrongly."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from engines.types import U8
from offline.drawing.style import DARK, LIGHT, Colour, font

SIDE = 640  # of the picture in each view, in pixels
HEAD, LETTERS, LEAST_WIDTH, LINE = 28, 14, 330, 3
FOUND: Colour = (46, 160, 67)
MISSED: Colour = (240, 180, 41)
FALSE: Colour = (229, 72, 77)
Boxes = Sequence[Sequence[float]]


class View(NamedTuple):
    """What one detector found: boxes x1 y1 x2 y2 in pixels of the picture.

    found: its boxes of labelled faces; missed: labelled boxes; false: its other boxes.
    """

    title: str
    found: Boxes
    missed: Boxes
    false: Boxes


def draw_views(image: U8, width: int, views: Sequence[View]) -> Image.Image:
    """Draw `views` on copies of `image` (h, w, 3) uint8 RGB, side by side.

    The boxes are in pixels of an image of `width`; `image` may be a smaller copy of it.
    """
    shrink = min(1.0, SIDE / max(image.shape))
    size = [max(1, round(shrink * side)) for side in image.shape[1::-1]]
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    column = max(size[0], LEAST_WIDTH)
    sheet = Image.new("RGB", (column * len(views), HEAD + size[1]), DARK)
    for number, view in enumerate(views):
        drawn = _view(small, size[0] / width, view)
        sheet.paste(drawn, (number * column, HEAD))
        _title(ImageDraw.Draw(sheet), number * column, view)
    return sheet


def _view(image: U8, scale: float, view: View) -> Image.Image:
    drawn = Image.fromarray(image)
    draw = ImageDraw.Draw(drawn)
    for boxes, colour in ((view.missed, MISSED), (view.false, FALSE), (view.found, FOUND)):
        for box in boxes:
            corners = [value * scale for value in box]
            draw.rectangle(corners, outline=colour, width=LINE)
    return drawn


def _title(draw: Any, x: int, view: View) -> None:
    """Write the name, and the number of faces of each kind in the colour of their boxes."""
    texts = (
        (view.title, LIGHT),
        (f"{len(view.found)} found", FOUND),
        (f"{len(view.missed)} missed", MISSED),
        (f"{len(view.false)} false", FALSE),
    )
    at = x + 8.0
    for text, colour in texts:
        draw.text((at, HEAD / 2), text, colour, font(LETTERS), anchor="lm")
        at += font(LETTERS).getlength(text) + 12
