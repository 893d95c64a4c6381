"""The estimate of time and price agrees with simple cases, and more machines are never slower."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cost import Limits, Machine, estimate, main
from tests.docs.blocks import DOCS, blocks

MACHINE = Machine(actors=4, files_per_s=25, start_s=60, price=0.36)
LIMITS = Limits(files_per_part=250, parts_per_s=100, reads_per_s=50_000)
COUNTS = st.integers(1, 10**9)


def test_one_machine_takes_its_start_the_files_and_the_last_part() -> None:
    found = estimate(360_000, 1, MACHINE, LIMITS)
    assert found.files_per_s == 4 * 25
    assert found.seconds == 60 + 3600 + 10
    assert found.price == pytest.approx(0.36 * 3670 / 3600)
    assert found.limit == "machines"


@pytest.mark.parametrize(
    ("limits", "limit", "rate"),
    [
        (LIMITS._replace(parts_per_s=10), "driver", 2500),
        (LIMITS._replace(reads_per_s=1000), "store", 1000),
    ],
)
def test_the_narrowest_limit_decides(limits: Limits, limit: str, rate: float) -> None:
    found = estimate(360_000, 100, MACHINE, limits)
    assert (found.limit, found.files_per_s) == (limit, rate)


@given(files=COUNTS, machines=st.integers(1, 1000))
def test_more_machines_are_not_slower_and_not_cheaper(files: int, machines: int) -> None:
    fewer = estimate(files, machines, MACHINE, LIMITS)
    more = estimate(files, machines + 1, MACHINE, LIMITS)
    assert more.seconds <= fewer.seconds
    assert more.price >= fewer.price * 0.999999


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--files-per-s", "25", "--price", "0.36", "--parts-per-s", "100"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| 1", "| 10", "| 100", "| 1,000"]


def test_the_page_has_these_figures(capsys: pytest.CaptureFixture[str]) -> None:
    commands = "".join(block.text for block in blocks("platforms.md", "bash"))
    (line,) = re.findall(r"^python -m bench\.cost (.*)$", commands.replace("\\\n", " "), re.M)
    words = line.split()
    main(words)
    main([*words, "--files", "1000000"])
    assert all(
        row in (DOCS / "platforms.md").read_text() for row in capsys.readouterr().out.split("\n")
    )
