"""The emotions of each person over time, as a picture."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from offline.drawing.style import colour_of, font
from offline.video.people import Person
from offline.video.tracking import BIN_S

# Browsers show no picture that is much higher than this many rows.
MAX_ROWS = 60
WIDTH, ROW, LEFT, TOP, GAP = 1200, 90, 110, 40, 18
INK, SOFT, PAPER, EMPTY = (29, 37, 48), (91, 102, 117), (255, 255, 255), (238, 241, 245)
STEPS_S = (1, 2, 5, 10, 30, 60, 300, 600)
MAX_TICKS, LONGEST_STEP_S = 15, 1800


def draw_timeline(
    people: Sequence[Person], labels: Sequence[str], seconds: float, *, noun: str
) -> Image.Image:
    """Draw one row per person: the shares of the emotions, stacked; blank out of the picture.

    `noun` is the title of a row. If there are many people, only `longest_seen` have rows.
    """
    people = longest_seen(people)
    height = TOP + len(people) * (ROW + GAP) + 30
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    scale = (WIDTH - LEFT - 20) / max(seconds, BIN_S)
    _draw_legend(draw, labels)
    for i, person in enumerate(people):
        top = TOP + i * (ROW + GAP)
        name = f"{noun} {person.number}"
        draw.text((10, top + ROW / 2), name, font=font(16), fill=INK, anchor="lm")
        _draw_row(draw, person, labels, top, scale)
    _draw_ticks(draw, height - 28, seconds, scale)
    return picture


def longest_seen(people: Sequence[Person]) -> list[Person]:
    """Return the `MAX_ROWS` people who are in the picture longest, by number."""
    chosen = sorted(people, key=lambda person: person.seconds, reverse=True)[:MAX_ROWS]
    return sorted(chosen, key=lambda person: person.number)


def _draw_legend(draw: ImageDraw.ImageDraw, labels: Sequence[str]) -> None:
    x = float(LEFT)
    for label in labels:
        draw.rectangle([x, 12, x + 14, 26], fill=colour_of(label))
        draw.text((x + 20, 19), label, font=font(15), fill=INK, anchor="lm")
        x += 45 + draw.textlength(label, font=font(15))


def _draw_row(
    draw: ImageDraw.ImageDraw, person: Person, labels: Sequence[str], top: int, scale: float
) -> None:
    draw.rectangle([LEFT, top, WIDTH - 20, top + ROW], fill=EMPTY)
    for key, readings in person.bins.items():
        scores = readings.scores
        left = LEFT + key * BIN_S * scale
        right = min(left + BIN_S * scale, WIDTH - 20)
        low = float(top + ROW)
        for label, share in zip(labels, scores / scores.sum(), strict=True):
            high = low - share * ROW
            draw.rectangle([left, high, right, low], fill=colour_of(label))
            low = high


def _draw_ticks(draw: ImageDraw.ImageDraw, y: int, seconds: float, scale: float) -> None:
    step = next((step for step in STEPS_S if seconds / step <= MAX_TICKS), LONGEST_STEP_S)
    for second in range(0, int(seconds) + 1, step):
        text = f"{second // 60}:{second % 60:02}"
        draw.text((LEFT + second * scale, y), text, font=font(13), fill=SOFT, anchor="mt")
