"""Files appear whole or not at all, and only a failed write is reported as one."""

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from engines.disk import atomic_write, locked
from engines.errors import EngineError
from tests.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    existing = tmp_path / "folder" / "table.csv"
    existing.parent.mkdir()
    existing.write_text("before")
    return existing


def test_a_block_that_ends_replaces_the_file(path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(path.parent.iterdir()) == [path]


def write(path: Path, content: str, error: BaseException | None = None) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(content)
        if error is not None:
            raise error


def test_a_block_that_fails_leaves_the_file(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(path, "half", KeyboardInterrupt())
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]


def copy(source: Path, path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(source.read_bytes())


def test_an_error_of_reading_another_file_stays_one(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        copy(tmp_path / "source", path)
    assert missing.value.filename == str(tmp_path / "source")
    broken_disk = OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(OSError, match="Input/output") as broken:
        write(path, "half", broken_disk)
    assert broken.value is broken_disk
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_an_error_of_writing(path: Path, number: int) -> None:
    with pytest.raises(EngineError, match=r"cannot write .*table\.csv.*make room"):
        write(path, "half", OSError(number, os.strerror(number)))


def remove_folder(path: Path) -> None:
    with atomic_write(path) as temporary:
        shutil.rmtree(temporary.parent)


def test_a_temporary_file_that_is_gone_is_an_error_of_writing(path: Path) -> None:
    with pytest.raises(EngineError, match="cannot write"):
        remove_folder(path)


def test_a_folder_that_cannot_be_created_is_an_error_of_writing(path: Path) -> None:
    with pytest.raises(EngineError, match="cannot write"):
        write(path / "below.csv", "nowhere")


def test_a_lock_is_held_by_one_at_a_time(path: Path) -> None:
    waited: list[str] = []

    def second() -> None:
        with locked(path, lambda: waited.append("second")):
            path.write_text(f"{path.read_text()}, second")

    thread = threading.Thread(target=second)
    with locked(path, lambda: waited.append("first")):
        thread.start()
        until(lambda: bool(waited))
        path.write_text("first")
    thread.join()
    assert waited == ["second"]
    assert path.read_text() == "first, second"


def test_nothing_is_locked_where_nothing_can_be_written(path: Path) -> None:
    with locked(path / "below.csv", pytest.fail):
        pass
