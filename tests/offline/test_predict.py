"""`emotions predict` on folders: pictures, tables, interrupted and resumed runs."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from analysis.errors import ServiceError
from analysis.evaluation.fer2013 import LABELS
from analysis.types import Options
from offline.analyzers import open_analyzer
from offline.drawing.annotate import annotate
from offline.errors import OutputError, RemoteError
from offline.files import all_inside
from offline.predict import predict
from offline.run import PredictRun
from service.settings import Settings
from tests.engines.poisoned import DIES
from tests.offline.helpers import read_table
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_FILE, encode, group, iou, read
from tests.server import Server

TIMEOUT_S = 100  # for a machine under load
QUIET = Console(quiet=True)
NAMES = ["a.png", "blank.bmp", "broken.jpg", "crowd.webp", "more/naïve, 1.JPG"]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A tree with two photographs, a crowd, an empty scene, a broken file and a text."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    shutil.copy(ASTRONAUT_FILE, folder / "a.png")
    shutil.copy(HOPPER_FILE, folder / "more" / "naïve, 1.JPG")
    (folder / "crowd.webp").write_bytes(encode(group(3, 2, side=192)[0], "WEBP", quality=90))
    (folder / "blank.bmp").write_bytes(encode(np.zeros((64, 64, 3), np.uint8), "BMP"))
    (folder / "broken.jpg").write_bytes(HOPPER_FILE.read_bytes()[:5000])
    (folder / "notes.txt").write_text("no image")
    return folder


def start(
    plans: Path, *arguments: str | Path, module: str = "offline.cli"
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", module, "predict", *map(str, arguments)],
        env=os.environ | {"EMOTIONS_PLANS": str(plans), "EMOTIONS_ENGINE": "onnxruntime"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_process(plans: Path, *paths: Path, **job: Any) -> tuple[int, str]:
    """Run a job in this process, on one thread; return how many files failed, and the output."""
    output = io.StringIO()
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    failed = predict(settings, PredictRun(paths, **job), Console(file=output, soft_wrap=True))
    return failed, output.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are processes on Linux only")
def test_an_image_that_kills_its_worker_fails_alone(plans: Path, photographs: Path) -> None:
    poison = np.full((640, 640, 3), DIES, np.uint8)
    (photographs / "b.png").write_bytes(encode(poison, "PNG"))
    process = start(plans, photographs, module="tests.engines.poisoned")
    lines, output = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    results = {Path(line["id"]).name: line for line in map(json.loads, lines.splitlines())}
    errors = {name: line["error"]["code"] for name, line in results.items() if line["error"]}
    assert errors == {"b.png": "inference_failed", "broken.jpg": "corrupt_image"}, output
    assert len(results["a.png"]["faces"]) == 1
    assert len(results["crowd.webp"]["faces"]) == 6


def test_a_folder_gives_pictures_and_tables(plans: Path, photographs: Path) -> None:
    out = photographs / "out"  # its own pictures are not read again
    failed, output = in_process(plans, photographs, out=out)
    assert failed == 1
    assert "broken.jpg: the JPEG image" in output
    images = {row["file"]: row for row in read_table(out / "images.csv")}
    assert list(images) == NAMES
    faces = read_table(out / "faces.csv")
    counts = Counter(row["file"] for row in faces)
    assert {name: int(row["faces"]) for name, row in images.items()} == {
        name: counts[name] for name in NAMES
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
    assert sorted(pictures) == [name for name in NAMES if name != "broken.jpg"]
    drawn, original = read(out / "pictures" / "a.png"), read(ASTRONAUT_FILE)
    changed = np.argwhere((drawn != original).any(axis=2))
    assert 0.005 < len(changed) / original[..., 0].size < 0.2


def test_a_second_run_needs_resume(plans: Path, photographs: Path) -> None:
    out = photographs / "out"
    in_process(plans, photographs / "a.png", out=out)
    with pytest.raises(OutputError, match="--resume"):
        in_process(plans, photographs, out=out)
    (photographs / "broken.jpg").unlink()
    failed, output = in_process(plans, photographs, out=out, resume=True, table_format="jsonl")
    assert failed == 0
    assert f"{out}: 3 images" in output
    lines = [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == [
        row["file"] for row in read_table(out / "faces.csv")
    ]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_is_resumed_without_a_gap(
    plans: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    data = encode(group(1, 1, side=256)[0], "JPEG", quality=90)
    names = [f"{i:03}.jpg" for i in range(64)]
    for name in names:
        (folder / name).write_bytes(data)
    process = start(plans, folder, "--out", out, "--no-identities")
    while not (out / "images.csv").exists() or (out / "images.csv").read_text().count("\n") < 10:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(number)
    _, output = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "--resume" in output
        assert "Traceback" not in output
    assert 8 < len(read_table(out / "images.csv")) < len(names)
    with (out / "faces.csv").open("a") as file:
        file.write("orphan.jpg,0,1,2,3")
    assert in_process(plans, folder, out=out, resume=True, identities=False)[0] == 0
    assert [row["file"] for row in read_table(out / "images.csv")] == names
    faces = read_table(out / "faces.csv")
    assert [row["file"] for row in faces] == names
    assert len({tuple(row.values())[1:] for row in faces}) == 1
    assert sorted(path.name for path in (out / "pictures").iterdir()) == names


def test_a_failure_leaves_no_thread_and_no_process(
    plans: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr("offline.sinks.annotate", fail)
    threads, children = set(threading.enumerate()), child_processes()
    settings = Settings(plans=plans, engine="onnxruntime", workers=1)
    with pytest.raises(OSError, match="the disk is full"):
        predict(settings, PredictRun([photographs], photographs / "out"), QUIET)
    assert {thread for thread in threading.enumerate() if thread not in threads} == set()
    assert child_processes() <= children


def child_processes() -> set[str]:
    """The children of this process by their ids; empty where the system does not list them."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}


def test_a_folder_for_results_that_holds_all_images_is_rejected(
    photographs: Path, tmp_path: Path
) -> None:
    for paths in (
        [photographs],
        [photographs / "a.png"],
        [photographs / "crowd.webp", photographs],
    ):
        with pytest.raises(OutputError, match="nothing to read"):
            predict(Settings(), PredictRun(paths, photographs), QUIET)
    assert not (photographs / "images.csv").exists()
    assert not all_inside([photographs, tmp_path / "x"], photographs)
    assert not all_inside([photographs], photographs / "out")


def test_small_pictures_are_enlarged() -> None:
    small = np.ascontiguousarray(read(ASTRONAUT_FILE)[20:220:2, 120:320:2])
    assert annotate(small, []).size == (500, 500)
    assert annotate(read(ASTRONAUT_FILE), []).size == (512, 512)


def test_a_service_gives_the_same_tables(
    server: Server, plans: Path, photographs: Path, tmp_path: Path
) -> None:
    assert in_process(plans, photographs, out=tmp_path / "here")[0] == 1
    job = PredictRun([photographs], tmp_path / "there", url=server.url)
    assert predict(Settings(), job, QUIET) == 1
    for name in ("faces.csv", "images.csv"):
        here, there = (tmp_path / place / name for place in ("here", "there"))
        assert there.read_text() == here.read_text()
    assert (tmp_path / "there" / "pictures" / "crowd.webp").exists()


def test_a_result_stands_if_its_picture_is_too_large_here(
    server: Server, photographs: Path, tmp_path: Path
) -> None:
    job = PredictRun([photographs / "a.png"], tmp_path / "out", url=server.url)
    assert predict(Settings(max_pixels=100), job, QUIET) == 0
    (row,) = read_table(tmp_path / "out" / "images.csv")
    assert (row["faces"], row["error"]) == ("1", "")
    assert not (tmp_path / "out" / "pictures").exists()


def test_a_service_that_rejects_the_key_is_an_error(
    strict_server: Server, with_key: Settings, tmp_path: Path
) -> None:
    (tmp_path / "small.png").write_bytes(encode(np.zeros((50, 50, 3), np.uint8)))
    job = PredictRun([tmp_path / "small.png"], tmp_path / "out", url=strict_server.url)
    with pytest.raises(RemoteError, match="401"):
        predict(Settings(), job, QUIET)
    assert predict(with_key, job, QUIET) == 0
    assert len(read_table(tmp_path / "out" / "images.csv")) == 1


async def test_a_frame_that_a_service_rejects_fails_alone(
    strict_server: Server, with_key: Settings
) -> None:
    async with open_analyzer(with_key, Options(), strict_server.url) as analyzer:
        with pytest.raises(ServiceError, match="pixels"):
            await analyzer.analyze_frame("large", np.zeros((2500, 2500, 3), np.uint8))
        small = np.zeros((50, 50, 3), np.uint8)
        assert (await analyzer.analyze_frame("small", small)).faces == []
