"""What a video's report shows: each person's emotions over time, as a picture and as a page."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from offline.annotate import COLOURS, OTHER
from offline.tracking import BIN_S, Person

# A picture of more rows is higher than browsers show, and than anybody reads.
MOST = 60
PERSON, TRACK = "Person", "Track"
WIDTH, ROW, LEFT, TOP, GAP = 1200, 90, 110, 40, 18
INK, SOFT, PAPER, EMPTY = (29, 37, 48), (91, 102, 117), (255, 255, 255), (238, 241, 245)
STYLE = """
:root{color-scheme:light dark}body{max-width:75rem;margin:2rem auto;padding:0 1rem;
font:1rem/1.45 system-ui,sans-serif}img.timeline{width:100%;border-radius:.75rem}
ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:1rem;padding:0}
li{display:flex;gap:1rem;padding:1rem;border:1px solid #8885;border-radius:.75rem}
li img{width:6rem;height:6rem;border-radius:.5rem}h2{margin:0;font-size:1.1rem}
p{margin:.2rem 0}table{border-collapse:collapse;font-size:.85rem}td{padding:0 .6rem 0 0}
"""


class Shown(NamedTuple):
    """A person, and a portrait of at most 112 pixels a side as JPEG."""

    person: Person
    portrait: bytes


def jpeg(portrait: Image.Image) -> bytes:
    """A portrait as a page holds it; a film keeps one of each of its tracks, maybe of thousands."""
    buffer = io.BytesIO()
    portrait.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def timeline(
    people: Sequence[Person], labels: Sequence[str], seconds: float, *, noun: str = PERSON
) -> Image.Image:
    """Draw a row a person: the shares of the emotions over time, stacked; blank where unseen.

    Of more than `MOST` those who are seen longest. ``noun`` is what each is called.
    """
    people = longest(people)
    height = TOP + len(people) * (ROW + GAP) + 30
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    scale = (WIDTH - LEFT - 20) / max(seconds, BIN_S)
    _legend(draw, labels)
    for i, person in enumerate(people):
        top = TOP + i * (ROW + GAP)
        name = ImageFont.load_default(16)
        called = f"{noun} {person.number}"
        draw.text((10, top + ROW / 2), called, font=name, fill=INK, anchor="lm")
        _row(draw, person, labels, top, scale)
    _seconds(draw, height - 28, seconds, scale)
    return picture


def longest(people: Sequence[Person]) -> list[Person]:
    """The `MOST` people who are seen longest, by their numbers."""
    chosen = sorted(people, key=lambda person: person.seconds, reverse=True)[:MOST]
    return sorted(chosen, key=lambda person: person.number)


def _legend(draw: ImageDraw.ImageDraw, labels: Sequence[str]) -> None:
    x = float(LEFT)
    for label in labels:
        draw.rectangle([x, 12, x + 14, 26], fill=COLOURS.get(label, OTHER))
        draw.text((x + 20, 19), label, font=ImageFont.load_default(15), fill=INK, anchor="lm")
        x += 45 + draw.textlength(label, font=ImageFont.load_default(15))


def _row(
    draw: ImageDraw.ImageDraw, person: Person, labels: Sequence[str], top: int, scale: float
) -> None:
    draw.rectangle([LEFT, top, WIDTH - 20, top + ROW], fill=EMPTY)
    for key, scores in person.bins.items():
        left = LEFT + key * BIN_S * scale
        right = min(left + BIN_S * scale, WIDTH - 20)
        low = float(top + ROW)
        for label, share in zip(labels, scores / scores.sum(), strict=True):
            high = low - share * ROW
            draw.rectangle([left, high, right, low], fill=COLOURS.get(label, OTHER))
            low = high


def _seconds(draw: ImageDraw.ImageDraw, y: int, seconds: float, scale: float) -> None:
    step = next((s for s in (1, 2, 5, 10, 30, 60, 300, 600) if seconds / s <= 15), 1800)
    for second in range(0, int(seconds) + 1, step):
        text = f"{second // 60}:{second % 60:02}"
        place = (LEFT + second * scale, y)
        draw.text(place, text, font=ImageFont.load_default(13), fill=SOFT, anchor="mt")


def write(
    path: Path,
    title: str,
    shown: Sequence[Shown],
    labels: Sequence[str],
    line: str,
    *,
    noun: str = PERSON,
) -> None:
    """Write the report, a page that needs nothing but itself; the timeline lies beside it."""
    kept = {person.number for person in longest([one.person for one in shown])}
    cards = "".join(_card(one, labels, noun) for one in shown if one.person.number in kept)
    cards = cards or "<li>Nobody was seen.</li>"
    if len(kept) < len(shown):
        line = f"{line}; shown are the {len(kept)} who are seen longest, faces.csv has all"
    name = html.escape(title)
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8>"
        f'<meta name=viewport content="width=device-width"><title>{name}</title>'
        f"<style>{STYLE}</style><h1>{name}</h1><p>{html.escape(line)}</p>"
        f'<img class=timeline src="timeline.png" alt="Emotions over time, a row a person">'
        f"<ul>{cards}</ul></html>\n",
        encoding="utf-8",
    )


def _card(shown: Shown, labels: Sequence[str], noun: str) -> str:
    person = shown.person
    means = np.mean(list(person.bins.values()), axis=0)
    rows = "".join(
        f"<tr><td>{html.escape(label)}<td><meter max=1 value={mean:.4f}></meter><td>{mean:.0%}"
        for label, mean in zip(labels, means, strict=True)
    )
    best = labels[int(means.argmax())]
    data = base64.b64encode(shown.portrait).decode()
    return (
        f'<li><img src="data:image/jpeg;base64,{data}" alt=""><div>'
        f"<h2>{noun} {person.number}: {html.escape(best)}</h2>"
        f"<p>{person.seconds:.1f} s in the picture</p><table>{rows}</table></div></li>"
    )
