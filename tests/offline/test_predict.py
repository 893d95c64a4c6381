"""`emotions predict` on folders: pictures, tables, breaking off and going on."""

import csv
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from analysis.document import ImageResult
from analysis.errors import ServiceError
from analysis.types import Options
from engines.catalog import SAME_PERSON
from offline import files, tables
from offline import predict as predicting
from offline.analyzers import RemoteError, opened
from offline.annotate import annotate
from offline.files import all_inside
from offline.predict import Job
from offline.predict import predict as predict_here
from offline.tables import LANDMARKS, OutputError, Tables
from service.settings import Settings
from tests.engines.poisoned import DIES
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_FILE, encode, group, iou, read
from tests.server import Server, serving

# On a machine that does much else at the same time.
PATIENCE_S = 100
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A tree with two photographs, a crowd, an empty scene, a broken file and a text."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    shutil.copy(ASTRONAUT_FILE, folder / "a.png")
    shutil.copy(HOPPER_FILE, folder / "more" / "naïve, 1.JPG")
    (folder / "crowd.webp").write_bytes(encode(group(3, 2)[0], "WEBP", quality=90))
    (folder / "blank.bmp").write_bytes(encode(np.zeros((64, 64, 3), np.uint8), "BMP"))
    (folder / "broken.jpg").write_bytes(HOPPER_FILE.read_bytes()[:5000])
    (folder / "notes.txt").write_text("no image")
    return folder


def command(
    plans: Path, *arguments: str | Path, module: str = "offline.cli"
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", module, "predict", *map(str, arguments)],
        env=os.environ | {"EMOTIONS_PLANS": str(plans), "EMOTIONS_ENGINE": "onnxruntime"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def predict(plans: Path, *arguments: str | Path, status: int = 0) -> str:
    process = command(plans, *arguments)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status, told
    assert "Traceback" not in told
    return told


@pytest.mark.skipif(sys.platform != "linux", reason="the networks have a process on Linux only")
def test_an_image_that_kills_the_networks_costs_no_other(plans: Path, photographs: Path) -> None:
    poison = np.full((640, 640, 3), DIES, np.uint8)
    (photographs / "b.png").write_bytes(encode(poison, "PNG"))
    process = command(plans, photographs, module="tests.engines.poisoned")
    lines, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    results = {Path(line["id"]).name: line for line in map(json.loads, lines.splitlines())}
    errors = {name: line["error"]["code"] for name, line in results.items() if line["error"]}
    assert errors == {"b.png": "inference_failed", "broken.jpg": "corrupt_image"}, told
    assert len(results["a.png"]["faces"]) == 1
    assert len(results["crowd.webp"]["faces"]) == 6
    assert "is started anew" in told


def within(plans: Path, *paths: Path, **job: Any) -> tuple[int, str]:
    """As `predict`, in this process: how many failed, and what was told."""
    told = io.StringIO()
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False)
    failed = predict_here(settings, Job(paths, **job), Console(file=told, soft_wrap=True))
    return failed, told.getvalue()


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_gives_pictures_and_tables(plans: Path, photographs: Path) -> None:
    out = photographs / "out"  # its own pictures are not read again
    told = predict(plans, photographs, "--out", out, status=1)
    assert "broken.jpg: the JPEG image" in told
    assert "5/5" in told
    images = {row["file"]: row for row in table(out / "images.csv")}
    names = ["a.png", "blank.bmp", "broken.jpg", "crowd.webp", "more/naïve, 1.JPG"]
    assert list(images) == names
    faces = table(out / "faces.csv")
    counts = Counter(row["file"] for row in faces)
    assert {name: int(row["faces"]) for name, row in images.items()} == {
        n: counts[n] for n in names
    }
    assert images["broken.jpg"]["error"] == "corrupt_image"
    assert images["blank.bmp"]["emotion"] == ""
    first = faces[0]
    assert iou([float(first[name]) for name in ("x1", "y1", "x2", "y2")], ASTRONAUT_BOX) > 0.6
    assert float(first["left_eye_x"]) < float(first["right_eye_x"])
    assert max(LABELS, key=lambda label: float(first[label])) == first["emotion"]
    for label in LABELS:
        rows = [float(row[label]) for row in faces if row["file"] == "crowd.webp"]
        assert float(images["crowd.webp"][label]) == pytest.approx(np.mean(rows), abs=1e-5)
    pictures = [p.relative_to(out / "pictures").as_posix() for p in (out / "pictures").rglob("*.*")]
    assert sorted(pictures) == [name for name in names if name != "broken.jpg"]
    drawn, original = read(out / "pictures" / "a.png"), read(ASTRONAUT_FILE)
    changed = np.argwhere((drawn != original).any(axis=2))
    assert 0.005 < len(changed) / original[..., 0].size < 0.2


def test_a_second_run_is_refused_unless_it_goes_on(plans: Path, photographs: Path) -> None:
    out = photographs / "out"
    within(plans, photographs / "a.png", out=out)
    with pytest.raises(OutputError, match="--resume"):
        within(plans, photographs, out=out)
    (photographs / "broken.jpg").unlink()
    failed, told = within(plans, photographs, out=out, resume=True, form="jsonl")
    assert failed == 0
    assert f"{out}: 3 images" in told
    lines = [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == [row["file"] for row in table(out / "faces.csv")]
    assert isinstance(lines[0]["happy"], float)
    images = [json.loads(line) for line in (out / "images.jsonl").read_text().splitlines()]
    assert sum(image["faces"] for image in images) == len(lines)
    assert next(i for i in images if i["file"] == "blank.bmp")["happy"] is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_broken_off_goes_on_without_a_gap(
    plans: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    data = encode(read(ASTRONAUT_FILE), "JPEG", quality=90)
    names = [f"{i:03}.jpg" for i in range(120)]
    for name in names:
        (folder / name).write_bytes(data)
    process = command(plans, folder, "--out", out)
    while not (out / "images.csv").exists() or (out / "images.csv").read_text().count("\n") < 10:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "--resume" in told
    before = table(out / "images.csv")
    assert 8 < len(before) < 120
    with (out / "faces.csv").open("a") as file:
        file.write("orphan.jpg,0,1,2,3")
    predict(plans, folder, "--out", out, "--resume")
    assert [row["file"] for row in table(out / "images.csv")] == names
    faces = table(out / "faces.csv")
    assert [row["file"] for row in faces] == names
    assert len({tuple(row.values())[1:] for row in faces}) == 1
    assert sorted(p.name for p in (out / "pictures").iterdir()) == names


def test_patterns_and_files_that_are_not_there(photographs: Path) -> None:
    hits = files.find([photographs / "**" / "*.[jJ]*", photographs / "no.jpg"])
    assert [hit.name for hit in hits] == ["broken.jpg", "more/naïve, 1.JPG", "no.jpg"]


class Networks:
    """In the place of a reader's: they see no face, and note what they were given."""

    labels: tuple[str, ...] = LABELS
    embeds = False
    same_person = SAME_PERSON

    def __init__(self) -> None:
        self.names: list[str] = []

    async def read(self, name: str, _: bytes) -> tuple[ImageResult, NDArray[np.uint8]]:
        self.names.append(name)
        result = ImageResult(id=name, width=8, height=8, error=None, faces=[])
        return result, np.zeros((8, 8, 3), np.uint8)

    async def look(self, name: str, image: NDArray[np.uint8]) -> ImageResult:
        raise NotImplementedError


async def into(out: Path, *paths: Path, resume: bool = False) -> tuple[list[str], int]:
    """What the networks were given of `paths`, and how many of them failed."""
    networks, console = Networks(), Console(quiet=True)
    job = Job(paths, out, resume=resume)
    failed = await predicting._into_folder(networks, job, out, console)
    return networks.names, failed


async def test_originals_are_never_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts, original = tmp_path / "project" / "scripts", tmp_path / "photos" / "f.jpg"
    for path in (original, scripts / "samples" / "g.jpg"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"the original")
    monkeypatch.chdir(scripts)
    await into(Path("../../out"), Path("../../photos"), Path("samples"))
    assert original.read_bytes() == b"the original"
    assert (tmp_path / "out" / "pictures" / "photos" / "f.jpg").exists()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "pictures").symlink_to(original.parent)
    with pytest.raises(OutputError, match="link"):
        await into(tmp_path / "linked", original)
    assert original.read_bytes() == b"the original"


def test_results_beside_their_images_are_refused_where_nothing_would_be_read(
    photographs: Path, tmp_path: Path
) -> None:
    for paths in (
        [photographs],
        [photographs / "a.png"],
        [photographs / "crowd.webp", photographs],
    ):
        with pytest.raises(OutputError, match="nothing to read"):
            predict_here(Settings(), Job(paths, photographs), Console(quiet=True))
    assert not (photographs / "images.csv").exists()
    assert not all_inside([photographs, tmp_path / "x"], photographs)
    assert not all_inside([photographs], photographs / "out")


async def test_a_frame_that_a_service_refuses_fails_alone(plans: Path) -> None:
    with serving(plans, max_pixels="10000") as server:
        async with opened(Settings(), Options(), server.url) as reader:
            with pytest.raises(ServiceError, match="pixels"):
                await reader.look("large", np.zeros((200, 200, 3), np.uint8))
            assert (await reader.look("small", np.zeros((50, 50, 3), np.uint8))).faces == []


async def test_names_that_are_no_utf_8_are_read_each(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    names = [bytes([0x83, 0x80 + i]) * 40 + b".jpg" for i in range(80)]
    for name in names:
        (folder / os.fsdecode(name)).touch()
    given, failed = await into(out, folder)
    assert (len(set(given)), failed) == (80, 0)
    assert {row["file"] for row in table(out / "images.csv")} == set(given)
    assert len(list((out / "pictures").iterdir())) == 80
    assert await into(out, folder, resume=True) == ([], 0)


async def test_going_on_with_another_folder_is_refused(tmp_path: Path) -> None:
    days = [tmp_path / "day1", tmp_path / "day2"]
    for day in days:
        day.mkdir()
        (day / "IMG_1.jpg").touch()
    out = tmp_path / "out"
    await into(out, days[0])
    for others in (days[1:], days):
        with pytest.raises(OutputError, match=f"{days[0]}.*another --out"):
            await into(out, *others, resume=True)
    assert await into(out, days[0] / "IMG_1.jpg", resume=True) == ([], 0)
    (out / "base.txt").unlink()  # as earlier versions left a folder
    assert await into(out, days[0], resume=True) == ([], 0)


async def test_a_folder_that_cannot_be_listed_costs_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    (folder / "lost+found").mkdir(parents=True)
    (folder / "z.jpg").touch()
    scandir = os.scandir

    def refused(path: Path) -> "os._ScandirIterator[str]":  # root is refused nothing
        if Path(path).name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert await into(tmp_path / "out", folder) == (["z.jpg"], 1)
    errors = {row["file"]: row["detail"] for row in table(tmp_path / "out" / "images.csv")}
    assert errors == {"lost+found": "cannot read the folder: Permission denied", "z.jpg": ""}


def test_tables_drop_what_a_kill_cut_off(tmp_path: Path) -> None:
    header = ",".join(("file", "width", "height", "faces", *LABELS, "emotion", "error", "detail"))
    whole = "a.png,5,5,1" + ",0.1" * 7 + ",happy,,\n"
    failed = "b.png,,,0" + "," * 8 + ",corrupt_image,\n"
    (tmp_path / "images.csv").write_text(f"{header}\n{whole}{failed}c.png,5,5,1,0.")
    box = ",".join(["1"] * (5 + len(LANDMARKS)))
    columns = (*tables.FACE, *LABELS, "emotion", "identity")
    rows = [f"{name},0,{box}" + ",0.1" * 7 + ",happy,\n" for name in ("a.png", "c.png", "d.png")]
    (tmp_path / "faces.csv").write_text(",".join(columns) + "\n" + "".join(rows)[:-3])
    again = Tables(tmp_path, LABELS, resume=True)
    again.close()
    assert again.done == {"a.png"}
    assert (tmp_path / "images.csv").read_text() == f"{header}\n{whole}"
    assert [row["file"] for row in table(tmp_path / "faces.csv")] == ["a.png"]
    with pytest.raises(OutputError, match="other columns"):
        Tables(tmp_path, LABELS[:3], resume=True)
    with pytest.raises(OutputError, match="--no-identities"):
        Tables(tmp_path, LABELS, same_person=SAME_PERSON, resume=True)


def test_parquet_holds_the_same_rows(plans: Path, photographs: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the `parquet` extra is not here")
    out = photographs / "out"
    assert within(plans, photographs, out=out, form="parquet")[0] == 1
    faces = parquet.read_table(out / "faces.parquet").to_pylist()
    assert [row["file"] for row in faces] == [row["file"] for row in table(out / "faces.csv")]
    assert isinstance(faces[0]["face"], int)
    images = parquet.read_table(out / "images.parquet").to_pylist()
    assert [image["happy"] is None for image in images] == [False, True, True, False, False]


def test_parquet_without_pyarrow_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match="pip install"):
        tables.check("parquet")


def test_small_pictures_are_enlarged() -> None:
    small = np.ascontiguousarray(read(ASTRONAUT_FILE)[20:220:2, 120:320:2])
    assert annotate(small, []).size == (500, 500)
    assert annotate(read(ASTRONAUT_FILE), []).size == (512, 512)


def test_a_service_elsewhere_gives_the_same_tables(
    server: Server, plans: Path, photographs: Path, tmp_path: Path
) -> None:
    assert within(plans, photographs, out=tmp_path / "here")[0] == 1
    job = Job([photographs], tmp_path / "there", url=server.url)
    assert predict_here(Settings(), job, Console(quiet=True)) == 1
    for name in ("faces.csv", "images.csv"):
        here, there = (tmp_path / place / name for place in ("here", "there"))
        assert there.read_text() == here.read_text()
    assert (tmp_path / "there" / "pictures" / "crowd.webp").exists()


def test_an_answer_stands_though_the_picture_is_too_large_here(
    server: Server, photographs: Path, tmp_path: Path
) -> None:
    job = Job([photographs / "a.png"], tmp_path / "out", url=server.url)
    assert predict_here(Settings(max_pixels=100), job, Console(quiet=True)) == 0
    (row,) = table(tmp_path / "out" / "images.csv")
    assert (row["faces"], row["error"]) == ("1", "")
    assert not (tmp_path / "out" / "pictures").exists()


def test_a_service_that_refuses_is_told_in_a_sentence(plans: Path, photographs: Path) -> None:
    with serving(plans, api_keys="sesame") as server:
        job = Job([photographs], url=server.url)
        with pytest.raises(RemoteError, match="401 unauthorized: show a valid key"):
            predict_here(Settings(), job, Console(quiet=True))
        out = photographs / "out"
        settings = Settings.model_validate({"api_keys": "sesame"})
        assert predict_here(settings, job._replace(out=out), Console(quiet=True)) == 1
    assert len(table(out / "images.csv")) == 5
