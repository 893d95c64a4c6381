"""The folder for results: no original is overwritten, and no result takes the place of another."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from analysis.evaluation.fer2013 import LABELS
from offline.contents import file_reader
from offline.errors import OutputError
from offline.predict import predict_folder
from offline.run import PredictRun
from offline.sinks import ResultsFolder, picture_name
from offline.tables.folder import FolderTables
from tests.offline import containers
from tests.offline.helpers import FakeAnalyzer, read_table, result

QUIET = Console(quiet=True)
JPEG = b"\xff\xd8\xff and more"  # an image for analyzers that do not decode it
MAX_BYTES = 100


async def into(out: Path, *paths: Path, resume: bool = False) -> tuple[list[str], int]:
    """Run a job without networks; return the names they would get, and how many files failed."""
    analyzer = FakeAnalyzer()
    run = PredictRun(paths, out, resume=resume)
    failed = await predict_folder(analyzer, run, out, QUIET, file_reader(MAX_BYTES))
    return analyzer.names, failed


async def test_originals_are_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts, original = tmp_path / "project" / "scripts", tmp_path / "photos" / "f.jpg"
    for path in (original, scripts / "samples" / "g.jpg"):
        path.parent.mkdir(parents=True)
        path.write_bytes(JPEG)
    monkeypatch.chdir(scripts)
    await into(Path("../../out"), Path("../../photos"), Path("samples"))
    assert original.read_bytes() == JPEG
    assert (tmp_path / "out" / "pictures" / "photos" / "f.jpg").exists()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "pictures").symlink_to(original.parent)
    with pytest.raises(OutputError, match="link"):
        await into(tmp_path / "linked", original)
    assert original.read_bytes() == JPEG


async def test_names_that_are_not_utf_8_stay_different(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i in range(80):
        (folder / os.fsdecode(bytes([0x83, 0x80 + i]) * 40 + b".jpg")).write_bytes(JPEG)
    names, failed = await into(out, folder)
    assert (len(set(names)), failed) == (80, 0)
    assert {row["file"] for row in read_table(out / "images.csv")} == set(names)
    assert len(list((out / "pictures").iterdir())) == 80
    assert await into(out, folder, resume=True) == ([], 0)


async def test_resuming_with_another_folder_is_rejected(tmp_path: Path) -> None:
    days = [tmp_path / "day1", tmp_path / "day2"]
    for day in days:
        day.mkdir()
        (day / "IMG_1.jpg").write_bytes(JPEG)
    out = tmp_path / "out"
    await into(out, days[0])
    for others in (days[1:], days):
        with pytest.raises(OutputError, match=f"{days[0]}.*another --out"):
            await into(out, *others, resume=True)
    assert await into(out, days[0] / "IMG_1.jpg", resume=True) == ([], 0)
    (out / "base.txt").unlink()  # as earlier versions left a folder
    assert await into(out, days[0], resume=True) == ([], 0)


async def test_a_video_whose_results_have_no_place_costs_no_image(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for path in (folder, out):
        path.mkdir()
    (folder / "a.jpg").write_bytes(JPEG)
    containers.make(folder / "b.mov", "-c:v mpeg4 -f mov")
    (out / "videos").write_text("a file in the place of the folder")
    assert await into(out, folder) == (["a.jpg"], 1)
    (out / "videos").unlink()
    names, failed = await into(out, folder, resume=True)
    assert (names[0], failed) == ("b.mov:0", 0)


@pytest.mark.parametrize(
    ("name", "side", "picture"),
    [
        ("sub/a.PNG", 70_000, "sub/a.PNG"),
        ("a.jpe", 1000, "a.jpe"),
        ("a.webp", 16383, "a.webp"),
        ("a.webp", 16384, "a.webp.jpg"),
        ("a.jpg", 70_000, "a.jpg.png"),
        ("a.tif", 1000, "a.tif.jpg"),
        ("a.tif", 70_000, "a.tif.png"),
        ("a", 1000, "a.jpg"),
    ],
)
def test_a_picture_has_a_format_that_can_hold_it(name: str, side: int, picture: str) -> None:
    assert picture_name(name, side) == picture


async def test_a_picture_does_not_take_the_name_of_another_original(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("a", "a.jpg/b.jpg", "c.tif", "c.tif.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(JPEG)
    assert (await into(out, folder))[1] == 0
    pictures = sorted(p.relative_to(out / "pictures").as_posix() for p in out.glob("*/**/*.jpg"))
    hashed = [re.sub(r"-[0-9a-f]{16}", "-hash", name) for name in pictures]
    assert hashed == ["a-hash.jpg", "a.jpg", "a.jpg/b.jpg", "c.tif-hash.jpg", "c.tif.jpg"]


@pytest.mark.parametrize("name", ["a.png", "a.jpeg", "a.jpe", "a.jfif", "a.webp", "a.bmp", "a.gif"])
def test_the_suffix_of_a_picture_names_its_format(name: str, tmp_path: Path) -> None:
    tables = FolderTables(tmp_path, LABELS, resume=False)
    image = np.zeros((8, 600, 3), np.uint8)
    ResultsFolder(tmp_path, tables).write_picture(image, result(name), tmp_path / name)
    tables.close()
    (path,) = (tmp_path / "pictures").iterdir()
    with Image.open(path) as picture:
        assert Image.registered_extensions()[path.suffix] == picture.format
