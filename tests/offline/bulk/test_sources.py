"""The listing of a library, and the files that it leaves out."""

from pathlib import Path

import pytest

from analysis.errors import TooLargeError
from offline.bulk.sources import Source, open_source
from offline.errors import CommandError
from offline.kinds import Kind
from tests.offline.bulk.conftest import BUCKET, Store
from tests.photographs import ASTRONAUT_FILE

PNG = ASTRONAUT_FILE.read_bytes()
FILM = b"\0\0\0\x18ftypisom" + bytes(3 << 20)
LIBRARY = {"b/x.png": PNG, "a.png": PNG, "film.MP4": FILM, "notes.txt": b"no", ".x/y.png": PNG}


@pytest.fixture(params=["folder", "s3"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """`LIBRARY`, without the folder `b/results`."""
    if request.param == "folder":
        for name, data in LIBRARY.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        return open_source(str(tmp_path), str(tmp_path / "b" / "results"), len(PNG))
    store: Store = request.getfixturevalue("store")
    for name, data in LIBRARY.items():
        store.put(name, data)
    store.put("b/results/x.png", PNG)
    return open_source(f"s3://{BUCKET}/", f"s3://{BUCKET}/b/results/", len(PNG))


def test_all_files_by_name(source: Source) -> None:
    found = {file.name: file.left_out for file in source.files() if not file.left_out}
    assert sorted(found) == ["a.png", "b/x.png", "film.MP4", "notes.txt"]
    assert [file.left_out for file in source.files() if file.left_out] == ["hidden"]


def test_the_content_of_images_alone(source: Source) -> None:
    found = {file.name: source.read(file) for file in source.files() if not file.left_out}
    assert found["b/x.png"] == (Kind.IMAGE, PNG)
    assert found["film.MP4"].kind is Kind.VIDEO
    assert len(found["film.MP4"].data) < 1 << 20
    assert found["notes.txt"] == (Kind.OTHER, b"no")


def test_a_video_on_disk(source: Source) -> None:
    [film] = [file for file in source.files() if file.promises_video]
    with source.on_disk(film) as path:
        assert path.read_bytes() == FILM
        assert path.suffix == ".MP4"


def test_an_image_over_the_limit(store: Store) -> None:
    store.put("a.png", PNG)
    source = open_source(f"s3://{BUCKET}", "out", len(PNG) - 1)
    with pytest.raises(TooLargeError, match="EMOTIONS_MAX_IMAGE_BYTES"):
        source.read(next(source.files()))


def test_a_source_that_is_missing_or_in_the_target(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no such folder"):
        open_source(str(tmp_path / "missing"), "out", 1)
    with pytest.raises(CommandError, match="the source lies in this folder"):
        open_source(str(tmp_path), str(tmp_path), 1)
