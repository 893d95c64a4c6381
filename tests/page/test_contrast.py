"""The contrast of text on the colours of the emotions, by WCAG 2 (AA, 1.4.3)."""

import re
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.page.visit import ENDPOINT, LABELS, SEEN_MS, Open, answer, file, upload
from tests.photographs import ASTRONAUT_FILE
from tests.server import Server

LEAST = 4.5
# The colour of a text, the colour behind it, and the opacity of the text.
COLOURS = """(text) => {
    let ground = text, opacity = 1;
    while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') {
        opacity *= getComputedStyle(ground).opacity;
        ground = ground.parentElement;
    }
    return [getComputedStyle(text).color, getComputedStyle(ground).backgroundColor, opacity];
}"""
Colour = list[float]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_emotion_can_be_read_on_its_colour(
    server: Server, open_page: Open, scheme: Literal["light", "dark"]
) -> None:
    page = open_page(server.url)
    page.emulate_media(color_scheme=scheme)
    page.route(ENDPOINT, lambda route: route.fulfill(body=answer(*LABELS)))
    upload(page, file("a.png", ASTRONAUT_FILE.read_bytes()))
    expect(page.locator(".face")).to_have_count(len(LABELS), timeout=SEEN_MS)
    for emotion in LABELS:
        texts = page.locator(f"[data-emotion={emotion}]").locator(".tag b, .tag i, .number").all()
        assert len(texts) == 3
        for text in texts:
            colour, ground, opacity = text.evaluate(COLOURS)
            assert _contrast(_rgb(colour), _rgb(ground), opacity) >= LEAST, (emotion, colour)


def _rgb(css: str) -> Colour:
    numbers = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", css)
    assert numbers, css
    return [int(number) for number in numbers.groups()]


def _contrast(colour: Colour, ground: Colour, opacity: float) -> float:
    seen = [
        opacity * over + (1 - opacity) * under for over, under in zip(colour, ground, strict=True)
    ]
    dark, light = sorted((_luminance(seen), _luminance(ground)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(value / 255) for value in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
