"""The report of a video: a page with a card per person, beside the picture of the timeline."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from offline.quality import named
from offline.video.people import Person
from offline.video.timeline import longest_seen

STYLE = """
:root{color-scheme:light dark}body{max-width:75rem;margin:2rem auto;padding:0 1rem;
font:1rem/1.45 system-ui,sans-serif}img.timeline{width:100%;border-radius:.75rem}
ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:1rem;padding:0}
li{display:flex;gap:1rem;padding:1rem;border:1px solid #8885;border-radius:.75rem}
li img{width:6rem;height:6rem;border-radius:.5rem}h2{margin:0;font-size:1.1rem}
p{margin:.2rem 0}table{border-collapse:collapse;font-size:.85rem}td{padding:0 .6rem 0 0}
"""


class Card(NamedTuple):
    """A person, and a portrait as JPEG."""

    person: Person
    portrait: bytes


def write_report(
    path: Path,
    title: str,
    cards: Sequence[Card],
    labels: Sequence[str],
    summary: str,
    *,
    noun: str,
    defects: Sequence[str] = (),
) -> None:
    """Write the report; it needs `timeline.png` beside it and nothing from elsewhere.

    `noun` is the title of a card. If there are many people, only `longest_seen` have cards.
    `defects` are lines about the video.
    """
    shown = {person.number for person in longest_seen([card.person for card in cards])}
    items = "".join(_item(card, labels, noun) for card in cards if card.person.number in shown)
    items = items or "<li>No face was found.</li>"
    if len(shown) < len(cards):
        summary = f"{summary}; this page shows the {len(shown)} longest seen, faces.csv has all"
    name = html.escape(title)
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in (summary, *defects))
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8>"
        f'<meta name=viewport content="width=device-width"><title>{name}</title>'
        f"<style>{STYLE}</style><h1>{name}</h1>{lines}"
        f'<img class=timeline src="timeline.png" alt="Emotions over time">'
        f"<ul>{items}</ul></html>\n",
        encoding="utf-8",
    )


def _item(card: Card, labels: Sequence[str], noun: str) -> str:
    person = card.person
    mean = person.mean
    rows = "".join(
        f"<tr><td>{html.escape(label)}<td><meter max=1 value={score:.4f}></meter><td>{score:.0%}"
        for label, score in zip(labels, mean.scores, strict=True)
    )
    best = named(labels[int(mean.scores.argmax())], mean.quality)
    data = base64.b64encode(card.portrait).decode()
    return (
        f'<li><img src="data:image/jpeg;base64,{data}" alt=""><div>'
        f"<h2>{noun} {person.number}: {html.escape(best)}</h2>"
        f"<p>{person.seconds:.1f} s in the picture, quality {mean.quality:.0%}</p>"
        f"<table>{rows}</table></div></li>"
    )
