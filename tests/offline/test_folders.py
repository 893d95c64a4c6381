"""Folders as people have them: what is read, reported and left out, and the exit status."""

import asyncio
import contextlib
import io
import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from rich.console import Console

from offline.contents import file_reader
from offline.errors import CommandError
from offline.predict import predict_folder
from offline.run import PredictRun
from tests.cases import Case
from tests.offline import containers
from tests.offline.helpers import FakeAnalyzer, read_table

# Images for analyzers that do not decode them.
JPEG, PNG = b"\xff\xd8\xff and more", b"\x89PNG\r\n\x1a\n and more"
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
# Options of ffmpeg for a video, a broadcast, and a voice in the container of videos.
VIDEO, BROADCAST, VOICE = "-c:v mpeg4 -f mov", "-c:v mpeg2video -f mpegts", "-vn -f mp4"
MAX_BYTES = 100_000

Files = Mapping[str, bytes | str]
FILES: dict[Case, Files] = {
    Case(
        "JPEGs named `.JPG .jfif .jpe .mpo`, and without suffix",
        "all are read",
        "read: a.JPG, b.jfif, c.jpe, d.mpo, e; exit status 0",
    ): {"a.JPG": JPEG, "b.jfif": JPEG, "c.jpe": JPEG, "d.mpo": JPEG, "e": JPEG},
    Case(
        "a PNG named `.jpg` and `.txt`, a JPEG named `.mp4`, a video named `.jpg`",
        "all are read as what they are",
        "read: a.jpg, b.mp4, d.txt, c.jpg; exit status 0",
    ): {"a.jpg": PNG, "b.mp4": JPEG, "c.jpg": VIDEO, "d.txt": PNG},
    Case(
        "texts and other files beside an image",
        "they are counted",
        "read: a.jpg; left out: 4 files (2 .txt, 1 .db, 1 .json); exit status 0",
    ): {"a.jpg": JPEG, "b.txt": b"b", "c.txt": b"c", "d.json": b"{}", "Thumbs.db": b"\xd0\xcf"},
    Case(
        "a broadcast and a TypeScript file, both `.ts`",
        "the broadcast is read",
        "read: news.ts; left out: 1 file (1 .ts); exit status 0",
    ): {"news.ts": BROADCAST, "index.ts": b"export const x = 1;\n"},
    Case(
        "a Live Photo: `IMG_1.HEIC` and `IMG_1.MOV`",
        "both are read",
        "read: IMG_1.HEIC, IMG_1.MOV; exit status 0",
    ): {"IMG_1.HEIC": HEIC, "IMG_1.MOV": VIDEO},
    Case(
        "a `.jpg` of zeros, an empty `.png`, an `.mp4` with text",
        "errors for them alone",
        "read: a.jpg; error for b.jpg; error for c.png; error for d.mp4; exit status 1",
    ): {"a.jpg": JPEG, "b.jpg": bytes(5000), "c.png": b"", "d.mp4": b"text"},
    Case(
        "a video that ends in its head, before another video",
        "an error for it alone",
        "read: a.jpg, c.mov; error for b.mov; exit status 1",
    ): {"a.jpg": JPEG, "b.mov": b"\x00\x00\x00\x14ftypqt  \x00", "c.mov": VIDEO},
    Case(
        "empty files of other kinds",
        "they are counted",
        "read: a.jpg; left out: 2 files (1 .txt, 1 without suffix); exit status 0",
    ): {"a.jpg": JPEG, "b.txt": b"", "c": b""},
    Case(
        "`.DS_Store`, `._IMG_1.JPG`, a folder `.thumbnails`",
        "hidden files are counted",
        "read: IMG_1.JPG; left out: 3 files (3 hidden); exit status 0",
    ): {
        "IMG_1.JPG": JPEG,
        ".DS_Store": b"x",
        "._IMG_1.JPG": b"\x00\x05\x16\x07",
        ".thumbnails/IMG_1.JPG": JPEG,
    },
    Case(
        "results of an earlier run, in a folder below",
        "they are no originals",
        "read: a.jpg; left out: 2 files (2 results); exit status 0",
    ): {
        "a.jpg": JPEG,
        "out/images.csv": b"",
        "out/faces.csv": b"",
        "out/pictures/a.jpg": JPEG,
        "webcam/2026/frames.csv": b"",
        "webcam/2026/faces.csv": b"",
        "webcam/2026/video.mp4": VIDEO,
    },
    Case(
        "an `.mp4` with sound alone, an `.mp3`",
        "they are counted",
        "read: a.jpg; left out: 2 files (1 .mp3, 1 without video); exit status 0",
    ): {"a.jpg": JPEG, "b.mp4": VOICE, "c.mp3": b"ID3\x04"},
    Case(
        "texts alone",
        "not a success",
        "left out: 2 files (2 .txt); nothing was read; exit status 1",
    ): {"a.txt": b"a", "b.txt": b"b"},
    Case("an empty folder", "not a success", "nothing was read; exit status 1"): {},
    Case(
        "`a.heic` beside `a.heic.jpg`", "two pictures", "read: a.heic, a.heic.jpg; exit status 0"
    ): {"a.heic": HEIC, "a.heic.jpg": JPEG},
    Case(
        "names that differ only in case",
        "two pictures, also where case does not count",
        "read: A.jpg, a.JPG; exit status 0",
    ): {"A.jpg": JPEG, "a.JPG": JPEG},
    Case(
        "`a` without suffix beside a folder `a.jpg`",
        "two pictures",
        "read: a, a.jpg/b.jpg; exit status 0",
    ): {"a": JPEG, "a.jpg/b.jpg": JPEG},
}


def pipe_and_socket(folder: Path) -> None:
    os.mkfifo(folder / "b.jpg")
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as local:
        local.bind("c.jpg")  # the path of a socket must be short


def links(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c.jpg").write_bytes(JPEG)
    (folder / "one").symlink_to(elsewhere)
    (folder / "two").symlink_to(elsewhere)
    (folder / "b.jpg").symlink_to(elsewhere / "c.jpg")


def loops(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "b.jpg").write_bytes(JPEG)
    (folder / "sub" / "up").symlink_to("..")
    (folder / "again").symlink_to("sub")


def broken_links(folder: Path) -> None:
    (folder / "b.jpg").symlink_to("missing")
    (folder / "c.jpg").symlink_to("c.jpg")


def a_huge_file(folder: Path) -> None:
    (folder / "b.png").write_bytes(PNG)
    os.truncate(folder / "b.png", 1 << 40)


# What is beside `a.jpg`.
BESIDE: dict[Case, Callable[[Path], None]] = {
    Case(
        "a pipe and a socket named `.jpg`",
        "nothing waits for them",
        "read: a.jpg; left out: 2 files (2 special); exit status 0",
    ): pipe_and_socket,
    Case(
        "two links to one folder, and one to an image",
        "the folder is read once",
        "read: a.jpg, b.jpg, one/c.jpg; exit status 0",
    ): links,
    Case(
        "links to a folder beside them, and to one above",
        "each image is read once, without an endless loop",
        "read: a.jpg, sub/b.jpg; left out: 1 file (1 looping); exit status 0",
    ): loops,
    Case(
        "a link to nothing, and one to itself",
        "errors for them alone",
        "read: a.jpg; error for b.jpg; error for c.jpg; exit status 1",
    ): broken_links,
    Case(
        "an image of 1 TiB",
        "an error for it alone; it is not loaded",
        "read: a.jpg; error for b.png; exit status 1",
    ): a_huge_file,
}


# Paths on the command line, in a folder with these files.
HERE: Files = {"a.jpg": JPEG, "b.txt": b"text", "c.pdf": b"%PDF-1.7", "d.ts": BROADCAST}
NAMED: dict[Case, list[str]] = {
    Case(
        "a text and a PDF, named directly",
        "errors that say what can be read",
        "error for b.txt; error for c.pdf; exit status 1",
    ): ["b.txt", "c.pdf"],
    Case("a broadcast, named directly", "it is read", "read: d.ts; exit status 0"): ["d.ts"],
    Case(
        "a pattern in quotes",
        "other files that it matches are counted",
        "read: a.jpg, d.ts; left out: 2 files (1 .pdf, 1 .txt); exit status 0",
    ): ["*"],
    Case(
        "a missing path beside an image",
        "an error for it alone",
        "read: a.jpg; error for missing.jpg; exit status 1",
    ): ["missing.jpg", "a.jpg"],
    Case(
        "a file, its folder, and a pattern that matches both",
        "each file is read once",
        "read: a.jpg, d.ts; left out: 2 files (1 .pdf, 1 .txt); exit status 0",
    ): ["a.jpg", ".", "*.jpg"],
}


def fill(folder: Path, files: Files) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, str):
            containers.make(path, data)
        else:
            path.write_bytes(data)


def outcome(out: Path, *paths: Path) -> str:
    """Analyze `paths` into `out` without networks; describe what became of the files."""
    output = io.StringIO()
    console = Console(file=output, soft_wrap=True)
    run = PredictRun(paths, out)
    try:
        failed = asyncio.run(
            predict_folder(FakeAnalyzer(), run, out, console, file_reader(MAX_BYTES))
        )
        end = [f"exit status {int(failed > 0)}"]
    except CommandError as error:
        end = [str(error).partition(":")[0], "exit status 1"]
    read = [row["file"] for row in read_table(out / "images.csv") if not row["error"]]
    read += sorted(path.parent.name for path in out.glob("videos/*/report.html"))
    lines = output.getvalue().splitlines()
    left_out = [line for line in lines if line.startswith("left out")]
    names = re.findall(r"^([\w./]+): (?!\d)", output.getvalue(), re.MULTILINE)
    errors = [f"error for {name}" for name in names]
    return "; ".join([f"read: {', '.join(read)}"] * bool(read) + errors + left_out + end)


@pytest.mark.parametrize(("case", "files"), FILES.items(), ids=[case.input for case in FILES])
def test_files_of_a_folder(case: Case, files: Files, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    fill(folder, files)
    assert outcome(out, folder) == case.happens
    images = [row for row in read_table(out / "images.csv") if not row["error"]]
    assert len([path for path in out.glob("pictures/**/*") if path.is_file()]) == len(images)


@pytest.mark.parametrize(("case", "make"), BESIDE.items(), ids=[case.input for case in BESIDE])
def test_other_things_in_a_folder(case: Case, make: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    fill(folder, {"a.jpg": JPEG})
    make(folder)
    assert outcome(tmp_path / "out", folder) == case.happens


@pytest.mark.parametrize(("case", "names"), NAMED.items(), ids=[case.input for case in NAMED])
def test_paths_of_the_command_line(case: Case, names: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    fill(folder, HERE)
    assert outcome(tmp_path / "out", *(folder / name for name in names)) == case.happens


def test_errors_name_what_a_file_is(tmp_path: Path) -> None:
    fill(tmp_path, {**HERE, "e.mov": b""})
    outcome(tmp_path / "out", *(tmp_path / name for name in ("b.txt", "c.pdf", "e.mov")))
    text, document, empty = (row["detail"] for row in read_table(tmp_path / "out" / "images.csv"))
    assert "neither an image nor a video" in text
    assert "PDF" in document
    assert empty == "the file is empty"
