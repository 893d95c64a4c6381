"""The notebooks run, and are committed with their outputs."""

from pathlib import Path

import pytest

from tests.docs.fer2013 import portraits, write_fer2013
from tests.docs.notebooks import FOLDER, NAMES, URL, printed, read, run
from tests.server import Server

PICTURE_BYTES = 110_000


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_has_run(name: str) -> None:
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(each.output_type == "error" for cell in cells for each in cell.outputs)


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_small_and_show_no_terminal_and_no_other_machine(name: str) -> None:
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 3 * PICTURE_BYTES
    text = printed(read(name))
    assert not any(part in text for part in ("\x1b", "/home/", "/root/", "/tmp/", "Warning"))


def test_first_steps_with_the_client(server: Server, plans: Path, tmp_path: Path) -> None:
    assert printed(run("client", tmp_path, plans, {URL: server.url})) == printed(read("client"))


def test_a_film(plans: Path, tmp_path: Path) -> None:
    assert printed(run("film", tmp_path, plans, {})) == printed(read("film"))


def test_teaching(own_plans: Path, tmp_path: Path) -> None:
    """With a few portraits in place of FER-2013."""
    write_fer2013(tmp_path / "fer2013.csv", portraits(40))
    notebook = run(
        "teach", tmp_path, own_plans, {"emotions teach": "emotions teach --min-quality 0.3"}
    )
    assert "EMOTIONS_EMOTION=mine emotions serve" in printed(notebook)
    assert (own_plans / "catalogs" / "mine.toml").exists()
