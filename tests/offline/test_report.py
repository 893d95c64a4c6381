"""A report of a crowd stays one that browsers show and people read."""

from pathlib import Path

from PIL import Image

from offline import report
from offline.tracking import Person, Track
from tests.offline.test_tracking import LABELS, face


def crowd(count: int) -> list[Person]:
    """People who are seen for as many seconds as their number says."""
    found = []
    for number in range(1, count + 1):
        track = Track(number, face(0), 0.0, LABELS)
        track.add(face(0), float(number))
        person = Person(number)
        person.tracks.append(track)
        found.append(person)
    return found


def written(people: list[Person], folder: Path) -> str:
    shown = [report.Shown(person, report.jpeg(Image.new("RGB", (8, 8)))) for person in people]
    report.write(folder / "report.html", "crowd", shown, LABELS, "a line")
    return (folder / "report.html").read_text()


def test_of_a_crowd_those_are_shown_who_are_seen_longest(tmp_path: Path) -> None:
    page = written(crowd(500), tmp_path)
    assert page.count("<h2>Person") == report.MOST
    assert "Person 500:" in page
    assert "Person 440:" not in page
    assert f"the {report.MOST} who are seen longest" in page
    few, many = (report.timeline(crowd(count), LABELS, 500.0) for count in (report.MOST, 500))
    assert few.size == many.size


def test_of_a_few_all_are_shown(tmp_path: Path) -> None:
    page = written(crowd(3), tmp_path)
    assert page.count("<h2>Person") == 3
    assert "seen longest" not in page
