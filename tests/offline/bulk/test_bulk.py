"""`emotions bulk` on folders: the rows of `predict`, interrupted runs, errors."""

import io
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pytest
from rich.console import Console

from offline.bulk.bulk import bulk
from offline.bulk.local import run_local
from offline.bulk.types import BulkJob
from offline.errors import CommandError, NothingReadError, OutputError
from offline.predict import predict
from offline.run import PredictRun
from offline.video.writing import open_video
from service.settings import Settings
from tests.offline.helpers import emotions
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode, group, read
from tests.waiting import until

TIMEOUT_S = 100  # for a machine under load
ENVIRONMENT = {"EMOTIONS_ENGINE": "onnxruntime", "EMOTIONS_WORKERS": "1"}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Photographs, a film, a broken image, a broken film, a text and a hidden file."""
    folder = tmp_path / "library"
    (folder / "more").mkdir(parents=True)
    shutil.copy(ASTRONAUT_FILE, folder / "a.png")
    shutil.copy(HOPPER_FILE, folder / "more" / "naïve, 1.JPG")
    (folder / "crowd.webp").write_bytes(encode(group(3, 2, side=192)[0], "WEBP", quality=90))
    (folder / "broken.jpg").write_bytes(HOPPER_FILE.read_bytes()[:5000])
    (folder / "notes.txt").write_text("no image")
    (folder / ".DS_Store").write_text("hidden")
    with open_video(folder / "film.mp4") as film:
        for number in range(4):
            film.write(read(ASTRONAUT_FILE), number / 5)
    (folder / "more" / "broken.mp4").write_bytes((folder / "film.mp4").read_bytes()[:2000])
    return folder


def run(plans: Path, source: Path, target: Path, size: int = 2, **job: Any) -> tuple[int, str]:
    """Run a job on a thread of this process; return how many files failed, and the output."""
    output = io.StringIO()
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    bulk_job = BulkJob(settings, str(source), str(target), **job)
    failed = bulk(bulk_job, run_local, Console(file=output, soft_wrap=True), size)
    return failed, output.getvalue()


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return sorted(found, key=lambda row: (row["file"], row.get("frame", 0), row.get("face", 0)))


def of(row: dict[str, Any]) -> str:
    name: str = row["file"]
    return name


def objects(target: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in target.rglob("*.parquet")}


def start(plans: Path, *arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "offline.cli", "bulk", *map(str, arguments)],
        env=os.environ | ENVIRONMENT | {"EMOTIONS_PLANS": str(plans)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("embeddings", [False, True])
def test_the_rows_are_those_of_predict(
    plans: Path, library: Path, tmp_path: Path, embeddings: bool
) -> None:
    out, target = tmp_path / "out", tmp_path / "target"
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    job = PredictRun(
        [library], out, table_format="parquet", embeddings=embeddings, fps=2.5, identities=True
    )
    predict(settings, job, Console(quiet=True))
    failed, output = run(plans, library, target, embeddings=embeddings, fps=2.5)
    assert failed == 2
    assert "4 images, " in output
    assert "left out: 2 files (1 .txt, 1 hidden)" in output
    images = rows(target / "images")
    assert [row for row in images if of(row) != "more/broken.mp4"] == rows(out / "images.parquet")
    # People are numbered only within a film.
    unnumbered = [row | {"identity": None} for row in rows(out / "faces.parquet")]
    assert rows(target / "faces") == unnumbered
    assert rows(target / "frames") == rows(out / "videos" / "film.mp4" / "frames.parquet")
    assert rows(target / "frame_faces") == rows(out / "videos" / "film.mp4" / "faces.parquet")


def test_files_with_errors_have_rows(plans: Path, library: Path, tmp_path: Path) -> None:
    (library / "later.jpg").symlink_to("nowhere")
    run(plans, library, tmp_path / "target")
    errors = {of(row): row["error"] for row in rows(tmp_path / "target" / "images") if row["error"]}
    assert errors == {
        "broken.jpg": "corrupt_image",
        "later.jpg": "unreadable_file",
        "more/broken.mp4": "corrupt_video",
    }


def test_a_second_run_analyzes_only_what_is_new_or_missing(
    plans: Path, library: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    run(plans, library, target)
    before = objects(target)
    assert run(plans, library, target)[0] == 0
    assert objects(target) == before
    shutil.copy(ASTRONAUT_FILE, library / "0-new.png")
    (target / "images" / "part-000000.parquet").unlink()  # as if the run had ended before it
    _, output = run(plans, library, target)
    assert "5 files done before" in output
    after = objects(target)
    assert before.items() <= after.items(), "a part that runs again has the same bytes"
    assert len(after) == len(before) + 2
    assert max(Counter(map(of, rows(target / "images"))).values()) == 1


def test_a_killed_run_is_continued(plans: Path, library: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for number in range(30):
        shutil.copy(ASTRONAUT_FILE, library / f"{number}.png")
    process = start(plans, library, target, "--files-per-part", "1")
    until(lambda: len(list(target.glob("images/*.parquet"))) > 2)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIMEOUT_S)
    partly = objects(target)
    run(plans, library, target)
    assert partly.items() <= objects(target).items()
    names = Counter(map(of, rows(target / "images")))
    assert names == Counter(
        path.relative_to(library).as_posix()
        for path in library.rglob("*.*")
        if path.name not in {".DS_Store", "notes.txt", "film.mp4"}
    )


def test_ctrl_c_names_how_to_continue(plans: Path, library: Path, tmp_path: Path) -> None:
    for number in range(100):
        shutil.copy(ASTRONAUT_FILE, library / f"{number}.png")
    process = start(plans, library, tmp_path / "target", "--files-per-part", "1")
    until(lambda: any((tmp_path / "target").glob("images/*.parquet")))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert errors.endswith("emotions: stopped; the same command continues\n")
    assert "Traceback" not in errors


def test_the_target_may_lie_in_the_source(plans: Path, library: Path) -> None:
    target = library / "results"
    run(plans, library, target)
    before = objects(target)
    run(plans, library, target)
    assert objects(target) == before


def test_a_place_may_be_written_in_several_ways(
    plans: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(plans, library, tmp_path / "target")
    before = objects(tmp_path / "target")
    monkeypatch.chdir(tmp_path)
    run(plans, Path("library"), Path("library", "..", "target"))
    assert objects(tmp_path / "target") == before


def test_wrong_places_are_errors(plans: Path, library: Path, tmp_path: Path) -> None:
    for source, target in ((library, library), (library / "more", library)):
        with pytest.raises(CommandError, match="the source lies in this folder"):
            run(plans, source, target)
    with pytest.raises(CommandError, match="there is no such folder"):
        run(plans, library / "a.png", tmp_path / "target")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingReadError, match="there is no image and no video"):
        run(plans, tmp_path / "empty", tmp_path / "target")
    run(plans, library, tmp_path / "target 2")
    with pytest.raises(OutputError, match="has results with embeddings False"):
        run(plans, library, tmp_path / "target 2", embeddings=True)


@pytest.mark.parametrize(
    "place", ["", "s3:/bucket", "s3://", "file:/x", "S3://bucket", "http://h/x"]
)
def test_a_mistyped_url_is_an_error(
    plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder, here = tmp_path / "source", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    for source, target in ((place, str(tmp_path / "target")), (str(folder), place)):
        with pytest.raises(CommandError, match="neither a folder nor s3://"):
            bulk(BulkJob(settings, source, target), run_local, Console(quiet=True), 1)
    assert not any(here.iterdir())


def test_a_target_that_cannot_be_made_is_named(plans: Path, library: Path) -> None:
    with pytest.raises(CommandError, match=r"notes\.txt: File exists"):
        run(plans, library, library / "notes.txt")


@pytest.mark.parametrize(
    "options",
    ["--cpus 2", "--gpus 1", "--gpus -1 --ray local", "--files-per-part 0", "--fps inf", "--fps 0"],
)
def test_wrong_options_are_errors(library: Path, tmp_path: Path, options: str) -> None:
    emotions("bulk", library, tmp_path / "target", *options.split(), status=2)
    assert not (tmp_path / "target").exists()
