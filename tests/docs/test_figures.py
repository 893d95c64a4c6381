"""Figures of the emotion network elsewhere are those that `python -m training.card` measured."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS

ROOT = DOCS.parent
CARD = (DOCS / "models" / "emotion-fer48.md").read_text()


def measured(pattern: str) -> str:
    found = re.search(pattern, CARD)
    assert found is not None, pattern
    return found[1]


@pytest.fixture(scope="module")
def seven_and_three() -> tuple[str, str]:
    return (
        measured(r"\| accuracy \| ([\d.]+)% of"),
        measured(r"\| happy, neutral, sad only \| ([\d.]+)% \|"),
    )


SHIPPED = [
    each
    for each in tomllib.loads((ROOT / "engines" / "catalog.toml").read_text())["model"]
    if "weights" in each
]


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda each: each["name"])
def test_each_card_is_of_the_weights_that_ship(entry: dict[str, str]) -> None:
    card = (DOCS / "models" / f"{entry['name']}.md").read_text()
    assert re.findall(r"sha256\s+`(\w+)`", card) == [entry["sha256"]]


@pytest.mark.parametrize(
    "page", [DOCS / "measurements.md", DOCS / "limits.md"], ids=lambda p: p.name
)
def test_accuracies_are_the_card_s(page: Path, seven_and_three: tuple[str, str]) -> None:
    text, (seven, three) = page.read_text(), seven_and_three
    assert re.search(rf"FER-2013('s)? public test.*\| {seven} %", text)
    assert re.search(rf"happy, neutral(,| and) sad alone\W+{three} %", text)


def test_the_changelog_ends_where_the_card_is(seven_and_three: tuple[str, str]) -> None:
    changes = " ".join((ROOT / "CHANGELOG.md").read_text().split())
    assert f"to {seven_and_three[0]} % on FER-2013's public test" in changes


def test_the_measurements_have_the_calibration_error_of_the_card() -> None:
    error = measured(r"calibration error \(15 bins\) \| [\d.]+ before, ([\d.]+) with")
    assert f"| its calibration error | {error} |" in (DOCS / "measurements.md").read_text()


def test_the_limits_name_the_two_weakest() -> None:
    scores = re.findall(r"(\w+) ([\d.]+)[,;]", measured(r"\| F1 \| (.*?) mean"))
    (first, low), (second, next_low) = sorted(scores, key=lambda each: float(each[1]))[:2]
    names = {"sad": "sadness"}
    weakest = f"{first} (F1 {low}) and {names.get(second, second)} (F1 {next_low})"
    assert f"| weakest | {weakest} |" in (DOCS / "limits.md").read_text()
