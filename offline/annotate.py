"""Faces drawn on a picture: box, emotion and the bars of the softmax, legible at any size."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from analysis.document import Face
from engines.types import U8

# Small pictures are enlarged to about this many pixels a side: letters need them.
READABLE = 480
SMALLEST_LETTERS = 11
COLOURS = {
    "angry": (229, 72, 77),
    "disgust": (79, 154, 58),
    "fear": (142, 91, 208),
    "happy": (240, 180, 41),
    "sad": (59, 130, 214),
    "surprise": (239, 125, 50),
    "neutral": (138, 149, 163),
}
OTHER = (138, 149, 163)
DARK, LIGHT, PANEL = (16, 21, 28), (255, 255, 255), (16, 21, 28, 190)


class Area(NamedTuple):
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, other: "Area") -> bool:
        """Whether the two overlap."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def within(self, width: float, height: float) -> bool:
        """Whether it lies inside a picture of this size."""
        return (
            self.x >= 0
            and self.y >= 0
            and self.x + self.width <= width
            and self.y + self.height <= height
        )

    @property
    def corners(self) -> list[float]:
        """As x1, y1, x2, y2."""
        return [self.x, self.y, self.x + self.width, self.y + self.height]


def annotate(image: U8, faces: Sequence[Face]) -> Image.Image:
    """Draw `faces` on a copy of `image`, RGB uint8 (h, w, 3), enlarged if it is small.

    Letters follow the face's and the picture's size. A face's bars stand beside it where there is
    room for them; in a crowd there is none, and boxes with names remain.
    """
    scale = max(1, round(READABLE / max(image.shape)))
    if scale > 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)
    picture = Image.fromarray(image)
    areas = [_area(face, scale) for face in faces]
    drawing = _Drawing(picture, areas)
    for face, area in zip(faces, areas, strict=True):
        drawing.box(face, area)
    for face, area in zip(faces, areas, strict=True):
        drawing.name(face, area)
    for face, area in zip(faces, areas, strict=True):
        drawing.bars(face, area)
    return picture


def _area(face: Face, scale: int) -> Area:
    x1, y1, x2, y2 = (value * scale for value in face.box)
    return Area(x1, y1, x2 - x1, y2 - y1)


class _Drawing:
    def __init__(self, picture: Image.Image, faces: Iterable[Area]) -> None:
        self._draw = ImageDraw.Draw(picture, "RGBA")
        self._size = picture.size
        self._taken = list(faces)

    def box(self, face: Face, area: Area) -> None:
        line = max(2, round(self._letters(area) / 6))
        around = Area(area.x - 1, area.y - 1, area.width + 2, area.height + 2)
        self._draw.rectangle(around.corners, outline=DARK, width=line + 2)
        self._draw.rectangle(area.corners, outline=_colour(face.emotion), width=line)

    def name(self, face: Face, area: Area) -> None:
        letters = self._letters(area)
        text = f"{face.emotion} {face.scores[face.emotion]:.0%}"
        width, height = _font(letters).getlength(text) + letters * 0.7, letters * 1.35
        above = Area(area.x, area.y - height, width, height)
        places = [above, above._replace(y=area.y + area.height)]
        inside = above._replace(y=max(0, area.y))
        place = self._free(places) or (inside if width <= area.width else None)
        if place is None:
            return
        self._taken.append(place)
        colour = _colour(face.emotion)
        self._draw.rectangle(place.corners, fill=colour)
        self._write(place.x + letters * 0.35, place.y + height / 2, text, letters, _ink(colour))

    def bars(self, face: Face, area: Area) -> None:
        letters = max(SMALLEST_LETTERS, round(self._letters(area) * 0.85))
        row = letters * 1.25
        width, height = letters * 9.5, row * len(face.scores) + letters * 0.6
        if height > 2 * area.height:
            return
        top = min(max(0, area.y), self._size[1] - height)
        low = min(max(0, area.y + area.height - height), self._size[1] - height)
        right, left = area.x + area.width + letters * 0.4, area.x - width - letters * 0.4
        places = [Area(x, y, width, height) for y in (top, low) for x in (right, left)]
        places += [Area(area.x, area.y + area.height + letters * 0.4, width, height)]
        place = self._free(places) or _foot(area, width, height, self._size)
        if place is None:
            return
        self._taken.append(place)
        self._draw.rounded_rectangle(place.corners, letters * 0.4, fill=PANEL)
        for i, (label, score) in enumerate(face.scores.items()):
            self._bar(place, place.y + letters * 0.3 + row * (i + 0.5), label, score, letters)

    def _bar(self, place: Area, middle: float, label: str, score: float, letters: int) -> None:
        self._write(place.x + letters * 0.4, middle, label, letters, LIGHT)
        start, most = place.x + letters * 5, letters * 4.1
        half = letters * 0.3
        length = max(1.0, most * score)
        self._draw.rectangle(
            [start, middle - half, start + most, middle + half], fill=(255, 255, 255, 50)
        )
        self._draw.rectangle(
            [start, middle - half, start + length, middle + half], fill=_colour(label)
        )

    def _write(self, x: float, y: float, text: str, letters: int, ink: Any) -> None:
        mask, top = _lettering(text, letters)
        self._draw.bitmap((round(x), round(y) - top), mask, fill=ink)

    def _letters(self, area: Area) -> int:
        longer = max(self._size)
        size = min(max(area.height / 6, longer / 80), longer / 40)
        return max(SMALLEST_LETTERS, round(size))

    def _free(self, places: Iterable[Area]) -> Area | None:
        for place in places:
            if place.within(*self._size) and not any(place.meets(other) for other in self._taken):
                return place
        return None


def _foot(area: Area, width: float, height: float, size: tuple[int, int]) -> Area | None:
    """A place at the lower edge of a face that fills the picture."""
    bottom = min(area.y + area.height, size[1])
    place = Area(max(0, area.x), bottom - height, width, height)
    return place if width <= area.width and 2 * height <= area.height else None


@lru_cache(maxsize=64)
def _font(letters: int) -> Any:
    return ImageFont.load_default(letters)


@lru_cache(maxsize=1024)
def _lettering(text: str, letters: int) -> tuple[Image.Image, int]:
    """A text as a mask, and how far its middle line lies below its top.

    The same few names stand beside every face, and rendering them anew was most of the drawing.
    """
    font = _font(letters)
    _, top, right, bottom = font.getbbox(text, anchor="lm")
    mask = Image.new("L", (round(right), round(bottom - top)))
    ImageDraw.Draw(mask).text((0, -top), text, font=font, fill=255, anchor="lm")
    return mask, round(-top)


def _colour(emotion: str) -> tuple[int, int, int]:
    return COLOURS.get(emotion, OTHER)


def _ink(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    return DARK if sum(colour) > 400 else LIGHT
