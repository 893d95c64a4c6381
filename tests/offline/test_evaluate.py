"""`emotions evaluate`: the engine that serves, on labelled faces."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import offline.cli.main
from analysis.evaluation.fer2013 import LABELS
from offline.drawing.confusion import CELL, MARGIN, draw_confusion
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, read


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, plans: Path) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))


def smiles(folder: Path, count: int = 40) -> Path:
    """A smiling face, shifted a little, `count` times; the last one is labelled wrongly."""
    left, top, _, _ = (int(value) for value in ASTRONAUT_BOX)
    image = Image.fromarray(read(ASTRONAUT_FILE)).convert("L")
    places = [(left - 12 + i % 5, top + i % 3) for i in range(count)]
    faces = [np.asarray(image.crop((x, y, x + 118, y + 118)).resize((48, 48))) for x, y in places]
    labels = np.full(count, LABELS.index("happy"))
    labels[-1] = LABELS.index("fear")
    np.savez(folder / "smiles.npz", x=np.stack(faces), y=labels)
    return folder / "smiles.npz"


def run(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(offline.cli.main.app, ["evaluate", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.output


def test_figures_predictions_and_picture(tmp_path: Path) -> None:
    predictions, picture = tmp_path / "p.csv", tmp_path / "c.png"
    output = run(
        "--data", smiles(tmp_path), "--split", "private",
        "--predictions", predictions, "--confusion", picture,
    )  # fmt: skip
    found = json.loads(output)
    indices = [int(line) for line in predictions.read_text().splitlines()]
    assert (found["faces"], len(indices)) == (40, 40)
    assert found["accuracy"] == pytest.approx(indices[:-1].count(3) / 40)
    assert found["accuracy"] > 0.8
    assert sum(map(sum, found["confusion"])) == 40
    assert set(found["f1"]) == set(LABELS)
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 400


def test_data_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", faces=np.zeros(3))
    assert "split 'public' of" in run("--data", tmp_path / "other.npz", status=1)
    assert "cannot read" in run("--data", tmp_path / "none.csv", status=1)
    assert "one of train, public, private" in run(
        "--data", smiles(tmp_path), "--split", "test", status=1
    )


def test_the_picture_is_darkest_where_all_faces_are(tmp_path: Path) -> None:
    matrix = [[10 if row == column else 0 for column in range(7)] for row in range(7)]
    draw_confusion(matrix, tmp_path / "c.png")
    pixels = read(tmp_path / "c.png")
    start = MARGIN + 3
    assert tuple(pixels[start, start]) == (0, 0, 255)
    assert tuple(pixels[start, start + CELL]) == (255, 255, 255)
