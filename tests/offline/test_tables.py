"""The tables of a folder after a kill, and in other formats."""

import csv
import json
import sys
from pathlib import Path

import pytest

from analysis.document import ImageError, ImageResult
from analysis.evaluation.fer2013 import LABELS
from engines.catalog import SAME_PERSON
from offline.errors import MissingExtraError, OutputError
from offline.tables.convert import check_format, convert
from offline.tables.folder import TABLES, FolderTables
from offline.tables.rows import FACE, image_row
from tests.offline.helpers import face, read_table, result


def failed(name: str) -> ImageResult:
    error = ImageError(code="corrupt_image", detail="cut")
    return ImageResult(id=name, width=0, height=0, turned=0, error=error, faces=[])


def cut_tables(folder: Path) -> str:
    """Tables of a run that was killed while it wrote `c.png`; returns the complete rows."""
    size = ("width", "height", "turned")
    header = ",".join(("file", *size, "faces", *LABELS, "emotion", "error", "detail"))
    whole = "a.png,5,5,0,1" + ",0.1" * 7 + ",happy,,\n"
    error = "b.png,,,,0" + "," * 8 + ",corrupt_image,\n"
    (folder / "images.csv").write_text(f"{header}\n{whole}{error}c.png,5,5,0,1,0.")
    columns = ",".join(("file", *FACE, *LABELS, "emotion", "identity"))
    values = ",0" + ",1" * (len(FACE) - 1) + ",0.1" * 7 + ",happy,\n"
    rows = "".join(f"{name}{values}" for name in ("a.png", "c.png", "d.png"))
    (folder / "faces.csv").write_text(f"{columns}\n{rows}"[:-3])
    return f"{header}\n{whole}"


def test_resuming_drops_rows_that_a_kill_has_cut_and_images_that_failed(tmp_path: Path) -> None:
    whole = cut_tables(tmp_path)
    tables = FolderTables(tmp_path, LABELS, resume=True)
    tables.close()
    assert tables.done == {"a.png"}
    assert (tmp_path / "images.csv").read_text() == whole
    assert [row["file"] for row in read_table(tmp_path / "faces.csv")] == ["a.png"]


def test_resuming_with_other_columns_is_rejected(tmp_path: Path) -> None:
    cut_tables(tmp_path)
    with pytest.raises(OutputError, match="other columns"):
        FolderTables(tmp_path, LABELS[:3], resume=True)
    with pytest.raises(OutputError, match="--no-identities"):
        FolderTables(tmp_path, LABELS, same_person=SAME_PERSON, resume=True)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with two faces in one image, an image without faces and one that failed."""
    tables = FolderTables(tmp_path, LABELS, resume=False)
    for one in (result("naïve, 1.png", face(), face(100)), result("b.png"), failed("c.png")):
        tables.add(one)
    tables.close()
    return tmp_path


def test_json_lines_hold_the_rows_with_their_types(written: Path) -> None:
    convert(written, "jsonl", TABLES)
    faces, images = (
        [json.loads(line) for line in (written / name).read_text().splitlines()]
        for name in ("faces.jsonl", "images.jsonl")
    )
    assert [row["file"] for row in faces] == ["naïve, 1.png"] * 2
    assert [type(faces[1][name]) for name in ("face", "x1", "emotion")] == [int, float, str]
    assert [image["faces"] for image in images] == [2, 0, 0]
    assert [image["happy"] is None for image in images] == [False, True, True]
    assert [image["error"] for image in images] == [None, None, "corrupt_image"]


def test_parquet_holds_the_rows_with_their_types(written: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the `parquet` extra is not installed")
    convert(written, "parquet", TABLES)
    for name in ("faces", "images"):
        rows = parquet.read_table(written / f"{name}.parquet").to_pylist()
        assert [row["file"] for row in rows] == [
            row["file"] for row in read_table(written / f"{name}.csv")
        ]
    images = parquet.read_table(written / "images.parquet").to_pylist()
    assert [image["happy"] is None for image in images] == [False, True, True]
    assert isinstance(images[0]["faces"], int)


def test_parquet_without_pyarrow_is_rejected_before_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        check_format("parquet")


def test_a_row_has_the_pose_and_the_quality_of_its_face(written: Path) -> None:
    rows = read_table(written / "faces.csv")
    assert [rows[0][name] for name in ("yaw", "pitch", "roll", "quality")] == [
        "20.5",
        "-3.0",
        "1.5",
        "0.9",
    ]
    convert(written, "jsonl", ("faces.csv",))
    line = json.loads((written / "faces.jsonl").read_text().splitlines()[0])
    assert (line["yaw"], line["pitch"], line["roll"], line["quality"]) == (20.5, -3.0, 1.5, 0.9)


def test_an_image_has_the_turn_that_makes_its_faces_upright(tmp_path: Path) -> None:
    tables = FolderTables(tmp_path, LABELS, resume=False)
    for one in (result("a.png", face()).model_copy(update={"turned": 270}), failed("b.png")):
        tables.add(one)
    tables.close()
    assert [row["turned"] for row in read_table(tmp_path / "images.csv")] == ["270", ""]
    convert(tmp_path, "jsonl", TABLES)
    lines = (tmp_path / "images.jsonl").read_text().splitlines()
    assert [json.loads(line)["turned"] for line in lines] == [270, None]


def test_the_emotion_of_an_image_is_that_of_its_clear_faces() -> None:
    blurred = [face(emotion="sad", score=1.0, quality=0.1)] * 5
    row = image_row(result("a.png", face(score=0.8, quality=0.9), *blurred), LABELS)
    assert row["emotion"] == "happy"
    assert row["happy"] == pytest.approx(0.9 * 0.8 / 1.4, abs=1e-6)
    assert sum(row[label] for label in LABELS) == pytest.approx(1, abs=1e-5)


def test_faces_of_quality_0_count_alike() -> None:
    faces = face(score=1.0, quality=0.0), face(score=0.5, quality=0.0)
    assert image_row(result("a.png", *faces), LABELS)["happy"] == pytest.approx(0.75)


def test_csv_needs_no_conversion(written: Path) -> None:
    before = sorted(written.iterdir())
    convert(written, "csv", TABLES)
    assert sorted(written.iterdir()) == before
    with (written / "faces.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file))[0] == "file"
