"""Each file belongs to one part, which stays the same when the library grows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.bulk.manifest import add_parts, check_done, check_job, decode, encode, load_parts
from offline.bulk.storage import Storage
from offline.bulk.types import Part
from offline.errors import OutputError
from offline.files import FoundFile

NAMES = st.lists(
    st.builds("{}.{}".format, st.integers(0, 99), st.sampled_from(["jpg", "mp4", "MOV", "txt"])),
    unique=True,
    max_size=20,
)
ANY_TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("\udc80\udcff"), max_size=20)


def files(*names: str) -> list[FoundFile]:
    return [FoundFile(Path(name), name) for name in names]


def target(folder: Path) -> Storage:
    return Storage(str(folder))


@given(first=NAMES, second=NAMES, size=st.integers(1, 5))
def test_each_file_has_one_part_that_stays(
    first: list[str], second: list[str], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    storage = target(tmp_path_factory.mktemp("target"))
    old = add_parts(storage, [], files(*first), size)
    new = add_parts(storage, load_parts(storage), files(*second), size)
    parts = load_parts(storage)
    assert parts == [*old, *new]
    assert [part.number for part in parts] == list(range(len(parts)))
    found = [file.name for part in parts for file in part.files]
    assert sorted(found) == sorted({*first, *second})
    for part in parts:
        videos = [file for file in part.files if file.promises_video]
        assert len(part.files) <= (1 if videos else size)


@given(number=st.integers(0), names=st.lists(ANY_TEXT, min_size=1), error=ANY_TEXT)
def test_a_part_becomes_a_line_and_back(number: int, names: list[str], error: str) -> None:
    part = Part(number, [FoundFile(Path(name), name, error) for name in names])
    line = encode(part)
    assert line.isascii()
    assert "\n" not in line
    assert decode(line) == part


def test_a_run_beside_another_run_stops(tmp_path: Path) -> None:
    storage = target(tmp_path)
    add_parts(storage, [], files("a.jpg"), 1)
    with pytest.raises(OutputError, match="another run writes"):
        add_parts(storage, [], files("b.jpg"), 1)
    assert [part.files for part in load_parts(storage)] == [files("a.jpg")]


def test_options_of_one_target_do_not_change(tmp_path: Path) -> None:
    storage = target(tmp_path)
    check_job(storage, {"source": "films", "fps": 2.0})
    check_job(storage, {"source": "films", "fps": 2.0})
    with pytest.raises(OutputError, match=r"has results with fps 2\.0"):
        check_job(storage, {"source": "films", "fps": None})


def test_a_target_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        check_job(target(tmp_path), {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("damage", [b"", b'{"a"', b"[]"])
def test_a_damaged_job_is_an_error(tmp_path: Path, damage: bytes) -> None:
    storage = target(tmp_path)
    check_job(storage, {"fps": 2.0})
    (tmp_path / "_manifest" / "job.json").write_bytes(damage)
    with pytest.raises(OutputError, match=r"job\.json is damaged"):
        check_job(storage, {"fps": 2.0})


@pytest.mark.parametrize("damage", [b"", b"{}", b"7", b'{"part": 0, "fi'])
def test_a_damaged_manifest_is_an_error(tmp_path: Path, damage: bytes) -> None:
    storage = target(tmp_path)
    add_parts(storage, [], files("a.jpg"), 1)
    (tmp_path / "_manifest" / "00000000.jsonl").write_bytes(damage)
    with pytest.raises(OutputError, match=r"00000000\.jsonl is damaged"):
        load_parts(storage)


def test_results_without_their_part_are_an_error(tmp_path: Path) -> None:
    parts = [Part(0, files("a.jpg"))]
    check_done(target(tmp_path), parts, {"part-000000"})
    with pytest.raises(OutputError, match="lacks part-000001"):
        check_done(target(tmp_path), parts, {"part-000000", "part-000001"})
