"""Image files through an analyzer: files that cannot be read, and failures halfway."""

import asyncio
import errno
import io
import json
import os
import threading
import time
from collections.abc import Container
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from rich.console import Console

from analysis.document import ImageResult
from engines.types import U8
from offline.contents import file_reader
from offline.errors import RemoteError
from offline.files import FoundFile, find_files
from offline.images import analyze_images
from offline.progress import ResultCounter
from offline.sinks import JsonLines
from tests.offline.helpers import FakeAnalyzer, result

PNG = b"\x89PNG\r\n\x1a\n and more"  # an image for analyzers that do not decode it
MAX_BYTES = 100


def counter() -> ResultCounter:
    return ResultCounter(Console(quiet=True))


async def lines_of(*files: FoundFile) -> list[dict[str, Any]]:
    out = io.BytesIO()
    await analyze_images(FakeAnalyzer(), files, JsonLines(out), counter(), file_reader(MAX_BYTES))
    return [json.loads(line) for line in out.getvalue().splitlines()]


async def error_of(path: Path) -> dict[str, str]:
    """The error of a path between two files that can be read."""
    good = path.parent / "good.png"
    good.write_bytes(PNG)
    files = [FoundFile(good, "1"), FoundFile(path, "2"), FoundFile(good, "3")]
    before, failed, after = await lines_of(*files)
    assert (before["error"], after["error"]) == (None, None)
    assert (failed["width"], failed["height"], failed["faces"]) == (0, 0, [])
    error: dict[str, str] = failed["error"]
    return error


async def test_a_missing_file_has_a_code_of_its_own(tmp_path: Path) -> None:
    error = await error_of(tmp_path / "missing.png")
    assert error["code"] == "unreadable_file"
    assert os.strerror(errno.ENOENT) in error["detail"]


async def test_a_folder_in_the_place_of_a_file_is_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    error = await error_of(tmp_path / "folder.png")
    assert error["code"] == "unreadable_file"
    assert os.strerror(errno.EISDIR) in error["detail"]


async def test_a_file_without_permission_is_an_unreadable_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = Path.open

    def refuse(path: Path, mode: str = "r") -> IO[Any]:  # root has every permission
        if path.name == "closed.png":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_file(path, mode)

    (tmp_path / "closed.png").write_bytes(PNG)
    monkeypatch.setattr(Path, "open", refuse)
    error = await error_of(tmp_path / "closed.png")
    assert error["code"] == "unreadable_file"
    assert os.strerror(errno.EACCES) in error["detail"]


@pytest.mark.parametrize("size", [MAX_BYTES, MAX_BYTES + 1])
async def test_an_image_with_more_bytes_than_the_limit_is_not_read(
    tmp_path: Path, size: int
) -> None:
    (tmp_path / "a.png").write_bytes(PNG.ljust(size))
    (line,) = await lines_of(*find_files([tmp_path]))
    error = line["error"] and line["error"]["code"]
    assert error == ("too_large" if size > MAX_BYTES else None)


async def test_a_pipe_is_an_error_that_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    error = await error_of(tmp_path / "pipe.png")
    assert error["code"] == "unreadable_file"
    assert "pipe" in error["detail"]


async def test_a_file_that_vanishes_after_the_listing_is_an_unreadable_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PNG)
    files = list(find_files([tmp_path]))
    (tmp_path / "b.png").unlink()
    first, second = await lines_of(*files)
    assert (first["error"], second["error"]["code"]) == (None, "unreadable_file")


async def test_a_folder_that_cannot_be_listed_is_an_unreadable_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "z.png").write_bytes(PNG)
    scandir = os.scandir

    def refuse(path: Path) -> "os._ScandirIterator[str]":  # root has every permission
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    closed, image = await lines_of(*find_files([tmp_path]))
    assert closed["error"]["code"] == "unreadable_file"
    assert "Permission denied" in closed["error"]["detail"]
    assert image["error"] is None


class FullDisk:
    """A sink whose pictures take a while, and whose first result cannot be written."""

    done: Container[str] = ()

    def __init__(self) -> None:
        self.drawing = 0
        self._lock = threading.Lock()

    def write_picture(self, *_: object) -> None:
        with self._lock:
            self.drawing += 1
        time.sleep(0.05)
        with self._lock:
            self.drawing -= 1

    def write_result(self, _: ImageResult) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_full_disk_leaves_no_task_and_no_thread_that_draws(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    files = [FoundFile(tmp_path / "a.png", str(number)) for number in range(100)]
    sink = FullDisk()
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        await analyze_images(FakeAnalyzer(), files, sink, counter(), file_reader(MAX_BYTES))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert sink.drawing == 0


class NoPlace:
    """A sink that cannot write the picture of the second image."""

    done: Container[str] = ()

    def __init__(self) -> None:
        self.results: list[ImageResult] = []

    def write_picture(self, *written: Any) -> None:
        if written[1].id == "1":
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    def write_result(self, result: ImageResult) -> None:
        self.results.append(result)


async def test_a_picture_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    files = [FoundFile(tmp_path / "a.png", str(number)) for number in range(3)]
    sink, count = NoPlace(), counter()
    await analyze_images(FakeAnalyzer(), files, sink, count, file_reader(MAX_BYTES))
    codes = [result.error and result.error.code for result in sink.results]
    assert codes == [None, "unwritable_picture", None]
    assert count.failed == 1


async def test_a_service_that_goes_away_leaves_no_task(tmp_path: Path) -> None:
    class Remote(FakeAnalyzer):
        async def analyze(self, name: str, _: bytes) -> tuple[ImageResult, U8]:
            if name == "1":
                raise RemoteError("the service is gone")
            await asyncio.sleep(1000 * (name != "0"))
            return result(name), np.zeros((8, 8, 3), np.uint8)

    (tmp_path / "a.png").write_bytes(PNG)
    files = [FoundFile(tmp_path / "a.png", str(number)) for number in range(100)]
    out = io.BytesIO()
    with pytest.raises(RemoteError, match="gone"):
        await analyze_images(Remote(), files, JsonLines(out), counter(), file_reader(MAX_BYTES))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [json.loads(line)["id"] for line in out.getvalue().splitlines()] == ["0"]
