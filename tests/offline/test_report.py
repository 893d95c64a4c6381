"""The report of a crowd shows the people who are seen longest."""

import io
from pathlib import Path

import pytest
from PIL import Image

from analysis.evaluation.fer2013 import LABELS
from offline.video.people import Person
from offline.video.report import Card, write_report
from offline.video.timeline import MAX_ROWS, draw_timeline
from offline.video.tracking import Track
from tests.offline.helpers import face


def crowd(count: int, quality: float = 0.9) -> list[Person]:
    """People who are in the picture for as many seconds as their number."""
    people = []
    for number in range(1, count + 1):
        track = Track(number, face(quality=quality), 0.0, LABELS)
        track.add(face(quality=quality), float(number))
        person = Person(number)
        person.tracks.append(track)
        people.append(person)
    return people


def report_of(people: list[Person], folder: Path) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    cards = [Card(person, buffer.getvalue()) for person in people]
    write_report(folder / "report.html", "crowd", cards, LABELS, "a line", noun="Person")
    return (folder / "report.html").read_text()


def test_of_a_crowd_the_longest_seen_are_shown(tmp_path: Path) -> None:
    page = report_of(crowd(500), tmp_path)
    assert page.count("<h2>Person") == MAX_ROWS
    assert "Person 500:" in page
    assert "Person 440:" not in page
    assert f"the {MAX_ROWS} longest seen" in page
    few, many = (
        draw_timeline(crowd(count), LABELS, 500.0, noun="Person") for count in (MAX_ROWS, 500)
    )
    assert few.size == many.size


def test_of_a_few_people_all_are_shown(tmp_path: Path) -> None:
    page = report_of(crowd(3), tmp_path)
    assert page.count("<h2>Person") == 3
    assert "longest seen" not in page


@pytest.mark.parametrize(
    ("quality", "title", "shown"),
    [(0.9, "Person 1: happy<", "quality 90%<"), (0.2, "Person 1: happy?<", "quality 20%<")],
)
def test_a_card_shows_the_quality(tmp_path: Path, quality: float, title: str, shown: str) -> None:
    page = report_of(crowd(1, quality), tmp_path)
    assert title in page
    assert shown in page
