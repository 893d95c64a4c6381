"""Faces drawn on a picture: box, emotion and bars of the softmax and of the quality."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from analysis.document import Face
from engines.types import U8
from offline.drawing.areas import Area, Canvas
from offline.drawing.style import DARK, LIGHT, Colour, colour_of, font, ink_on, text_mask
from offline.quality import named

# Smaller pictures are enlarged to about this many pixels per side, to make letters legible.
READABLE_SIDE = 480
MIN_LETTERS = 11
PANEL, BAR = (16, 21, 28, 190), (255, 255, 255, 50)


def annotate(image: U8, faces: Sequence[Face], width: int | None = None) -> Image.Image:
    """Draw `faces` on a copy of `image`, RGB uint8 (h, w, 3), enlarged if it is small.

    The boxes are in pixels of an image of `width`; `image` may be a smaller copy of it.
    The size of the letters depends on the face and the picture. The bars of a face stand beside it
    if there is room; in a crowd there is no room, and only boxes and names are drawn.
    """
    scale = max(1, round(READABLE_SIDE / max(image.shape)))
    if scale > 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)
    picture = Image.fromarray(image)
    ratio = picture.width / width if width else scale
    areas = [_area(face, ratio) for face in faces]
    drawing = _Drawing(picture, areas)
    for draw in (drawing.box, drawing.name, drawing.bars):  # names and bars lie above all boxes
        for face, area in zip(faces, areas, strict=True):
            draw(face, area)
    return picture


def _area(face: Face, scale: float) -> Area:
    x1, y1, x2, y2 = (value * scale for value in face.box)
    return Area(x1, y1, x2 - x1, y2 - y1)


class _Drawing:
    def __init__(self, picture: Image.Image, faces: Sequence[Area]) -> None:
        self._draw = ImageDraw.Draw(picture, "RGBA")
        self._canvas = Canvas(picture.size, faces)

    def box(self, face: Face, area: Area) -> None:
        line = max(2, round(self._letters(area) / 6))
        outer = Area(area.x - 1, area.y - 1, area.width + 2, area.height + 2)
        self._draw.rectangle(outer.corners, outline=DARK, width=line + 2)
        self._draw.rectangle(area.corners, outline=colour_of(face.emotion), width=line)

    def name(self, face: Face, area: Area) -> None:
        letters = self._letters(area)
        text = f"{named(face.emotion, face.quality)} {face.scores[face.emotion]:.0%}"
        width, height = font(letters).getlength(text) + letters * 0.7, letters * 1.35
        above = Area(area.x, area.y - height, width, height)
        inside = above._replace(y=max(0, area.y)) if width <= area.width else None
        place = self._canvas.place([above, above._replace(y=area.bottom)], inside)
        if place is None:
            return
        colour = colour_of(face.emotion)
        self._draw.rectangle(place.corners, fill=colour)
        self._write(place.x + letters * 0.35, place.y + height / 2, text, letters, ink_on(colour))

    def bars(self, face: Face, area: Area) -> None:
        letters = max(MIN_LETTERS, round(self._letters(area) * 0.85))
        row = letters * 1.25
        bars = [(label, score, colour_of(label)) for label, score in face.scores.items()]
        bars.append(("quality", face.quality, LIGHT))
        width, height = letters * 9.5, row * len(bars) + letters * 0.6
        if height > 2 * area.height:
            return
        place = self._panel(area, width, height, letters * 0.4)
        if place is None:
            return
        self._draw.rounded_rectangle(place.corners, letters * 0.4, fill=PANEL)
        for i, bar in enumerate(bars):
            self._bar(place, place.y + letters * 0.3 + row * (i + 0.5), bar, letters)

    def _panel(self, area: Area, width: float, height: float, gap: float) -> Area | None:
        """Reserve a place beside the face, else below it, else inside it if it is large."""
        lowest = self._canvas.size[1] - height
        top, low = (min(max(0, area.y), lowest), min(max(0, area.bottom - height), lowest))
        right, left = area.right + gap, area.x - width - gap
        places = [Area(x, y, width, height) for y in (top, low) for x in (right, left)]
        below = Area(area.x, area.bottom + gap, width, height)
        return self._canvas.place([*places, below], self._inside(area, width, height))

    def _inside(self, area: Area, width: float, height: float) -> Area | None:
        if width > area.width or 2 * height > area.height:
            return None
        bottom = min(area.bottom, self._canvas.size[1])
        return Area(max(0, area.x), bottom - height, width, height)

    def _bar(
        self, place: Area, middle: float, bar: tuple[str, float, Colour], letters: int
    ) -> None:
        label, value, colour = bar
        self._write(place.x + letters * 0.4, middle, label, letters, LIGHT)
        start, longest, half = place.x + letters * 5, letters * 4.1, letters * 0.3
        for length, fill in ((longest, BAR), (max(1.0, longest * value), colour)):
            self._draw.rectangle([start, middle - half, start + length, middle + half], fill=fill)

    def _write(self, x: float, y: float, text: str, letters: int, ink: Colour) -> None:
        mask, middle = text_mask(text, letters)
        self._draw.bitmap((round(x), round(y) - middle), mask, fill=ink)

    def _letters(self, area: Area) -> int:
        """Return the height of the letters for a face, in pixels."""
        side = max(self._canvas.size)
        return max(MIN_LETTERS, round(min(max(area.height / 6, side / 80), side / 40)))
