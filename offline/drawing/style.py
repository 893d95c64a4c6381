"""Colours and letters of the pictures."""

from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {
    "angry": (229, 72, 77),
    "disgust": (79, 154, 58),
    "fear": (142, 91, 208),
    "happy": (240, 180, 41),
    "sad": (59, 130, 214),
    "surprise": (239, 125, 50),
    "neutral": (138, 149, 163),
}
OTHER: Colour = (138, 149, 163)
DARK: Colour = (16, 21, 28)
LIGHT: Colour = (255, 255, 255)


def colour_of(emotion: str) -> Colour:
    """Return the colour of an emotion; labels of other models share one."""
    return COLOURS.get(emotion, OTHER)


def ink_on(colour: Colour) -> Colour:
    """Return the colour of letters that are legible on `colour`."""
    return DARK if sum(colour) > 400 else LIGHT


@lru_cache(maxsize=64)
def font(size: int) -> Any:
    """Return Pillow's own font at a size in pixels."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=1024)
def text_mask(text: str, size: int) -> tuple[Image.Image, int]:
    """Return a text as a mask, and the distance from its top to its middle line.

    Cached, because the same few labels stand beside every face: rendering them each time took most
    of the drawing time.
    """
    _, top, right, bottom = font(size).getbbox(text, anchor="lm")
    mask = Image.new("L", (round(right), round(bottom - top)))
    ImageDraw.Draw(mask).text((0, -top), text, font=font(size), fill=255, anchor="lm")
    return mask, round(-top)
