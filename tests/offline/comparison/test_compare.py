"""`emotions compare`: detectors side by side on labelled pictures."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import offline.cli.main
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, encode, group, read


@pytest.fixture(autouse=True)
def _plans(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A portrait, a group, and a picture without a face."""
    place = tmp_path / "pictures"
    (place / "more").mkdir(parents=True)
    picture, boxes = group(3, 2)
    (place / "portrait.png").write_bytes(encode(read(ASTRONAUT_FILE)))
    (place / "more" / "group.png").write_bytes(encode(picture))
    (place / "wall.png").write_bytes(encode(np.full((300, 400, 3), 120, np.uint8)))
    rows = [("portrait.png", *ASTRONAUT_BOX), *(("more/group.png", *box) for box in boxes)]
    label(place, rows)
    return place


def label(folder: Path, rows: list[tuple[object, ...]]) -> None:
    with (folder / "faces.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "face", "x1", "y1", "x2", "y2"])
        table.writerows((name, 0, *box) for name, *box in rows)


def compare(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(offline.cli.main.app, ["compare", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else " ".join(result.output.split())


def test_figures_pictures_and_bars(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = json.loads(compare("--data", folder, "--json", "--out", out))
    assert json.loads((out / "compare.json").read_text()) == found
    ours, haar = found["detectors"]
    assert (ours["detector"], haar["detector"]) == ("retinaface-mnet025", "haar")
    assert (ours["recall"]["found"], ours["recall"]["faces"], ours["false_faces"]) == (7, 7, 0)
    assert 0 < haar["recall"]["found"] <= 7
    assert ours["cpu_milliseconds"] > 0
    assert (out / "compare.png").exists()
    assert len(list((out / "pictures").rglob("*.*"))) == 3


def test_the_table_has_a_column_per_detector(folder: Path) -> None:
    lines = compare("haar", "retinaface-mnet025", "--data", folder).splitlines()
    assert lines[0].split("|")[1].strip() == "7 faces, 3 pictures"
    assert [cell.strip() for cell in lines[0].split("|")[2:4]] == ["haar", "retinaface-mnet025"]


def test_faces_of_a_prediction_are_labels(folder: Path, tmp_path: Path) -> None:
    predict = ["predict", str(folder), "--out", str(tmp_path / "found")]
    (folder / "faces.csv").unlink()
    assert CliRunner().invoke(offline.cli.main.app, predict).exit_code == 0
    (folder / "faces.csv").write_bytes((tmp_path / "found" / "faces.csv").read_bytes())
    found = json.loads(compare("retinaface-mnet025", "--data", folder, "--json"))
    assert found["detectors"][0]["recall"]["value"] == 1


def test_a_list_of_wider_face(folder: Path) -> None:
    (folder / "faces.csv").unlink()
    left, top, right, bottom = (int(value) for value in ASTRONAUT_BOX)
    face = f"{left} {top} {right - left} {bottom - top} 0 0 0 0 0 0"
    (folder / "val_bbx_gt.txt").write_text(
        f"portrait.png\n1\n{face}\nwall.png\n0\n0 0 0 0 0 0 0 0 0 0\n"
    )
    (folder / "more" / "group.png").unlink()
    found = json.loads(compare("retinaface-mnet025", "--data", folder, "--json"))
    assert found["detectors"][0]["recall"]["found"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("portrait.png\nmany\n", "line 2: a number of faces"),
        ("portrait.png\n2\n1 2 30 40 0 0 0 0 0 0\n", "ends in the faces of portrait.png"),
        ("portrait.png\n1\n1 2 30 40\n", "line 3: a face has 10 numbers"),
        ("portrait.png\n1\n1 2 x 40 0 0 0 0 0 0\n", "line 3"),
    ],
)
def test_a_damaged_list_names_its_line(folder: Path, text: str, message: str) -> None:
    (folder / "faces.csv").unlink()
    (folder / "val_bbx_gt.txt").write_text(text)
    assert message in compare("--data", folder, status=1)


def test_no_picture_replaces_another(tmp_path: Path) -> None:
    """Some file systems ignore the case of names, and results get another suffix."""
    place, out = tmp_path / "pictures", tmp_path / "out"
    place.mkdir()
    for name in ("a.png", "A.png", "a.png.jpg"):
        (place / name).write_bytes(encode(np.full((64, 64, 3), 120, np.uint8)))
    label(place, [("a.png", 8, 8, 40, 40)])
    compare("haar", "--data", place, "--out", out)
    written = [path.name.casefold() for path in (out / "pictures").iterdir()]
    assert len(set(written)) == 3


def test_a_folder_with_other_files_is_no_place_for_results(folder: Path) -> None:
    assert "choose another --out" in compare("--data", folder, "--out", folder, status=1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("portrait.png", 1, 2, "x", 4), "line 2"),
        (("portrait.png", 10, 10, 10, 20), "line 2: the box is empty"),
        (("portrait.png", 5000, 5000, 5100, 5100), "lies outside portrait.png"),
        (("other.png", 1, 2, 3, 4), "'other.png' is not in"),
    ],
)
def test_a_wrong_label_names_its_line(folder: Path, row: tuple[object, ...], message: str) -> None:
    label(folder, [row])
    assert message in compare("--data", folder, status=1)


def test_what_cannot_be_compared_names_the_fix(folder: Path, tmp_path: Path) -> None:
    assert "is no folder" in compare("--data", tmp_path / "none", status=1)
    assert "no model 'none'" in compare("none", "--data", folder, status=1)
    assert "pip install" in compare("mtcnn", "--data", folder, status=1)
    (folder / "faces.csv").unlink()
    assert "emotions predict" in compare("--data", folder, status=1)
