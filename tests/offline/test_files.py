"""Files by the names of a command line, and where what is made of them may go."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.files import LONGEST, below, common, find, printable
from offline.tables import OutputError

# Parts of names that come near to escapes, or need them.
PARTS = ("\\", r"\x", r"\u", "e9", "00e9", "5c", "é", "\n", "\x85", "\u2028", "\udce9", "\udcc3")


def touched(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody can list, root neither: its path is longer than the system takes."""
    tree = tmp_path / "tree"
    tree.mkdir()
    here = os.open(tree, os.O_RDONLY)
    name = "n" * 250
    try:
        for _ in range(17):
            os.mkdir(name, dir_fd=here)
            deeper = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        yield tree
    finally:
        os.close(here)


def test_names_do_not_lead_out_of_the_folder_for_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "project" / "scripts"
    touched(tmp_path / "photos" / "f.jpg", scripts / "samples" / "g.jpg")
    monkeypatch.chdir(scripts)
    paths = [Path("../../photos"), Path("samples")]
    assert [file.name for file in find(paths)] == ["photos/f.jpg", "project/scripts/samples/g.jpg"]
    assert common(paths) == tmp_path.resolve()
    (tmp_path / "link").symlink_to(scripts)
    upwards = [tmp_path / "link" / ".." / "scripts" / "samples", tmp_path / "photos"]
    names = ["project/scripts/samples/g.jpg", "photos/f.jpg"]
    assert [file.name for file in find(upwards)] == names
    assert [file.name for file in find([Path("nowhere/..")])] == ["scripts"]


def test_results_are_not_read_again_however_their_folder_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    touched(photos / "a.jpg", photos / "sub" / "b.jpg", photos / "out" / "pictures" / "a.jpg")
    (tmp_path / "link").symlink_to(photos / "out")
    monkeypatch.chdir(photos / "sub")
    for out in (Path("../out"), tmp_path / "link", photos / "sub" / ".." / "out"):
        assert [file.name for file in find([photos], out)] == ["a.jpg", "sub/b.jpg"]
        assert list(find([photos / "out" / "pictures"], out)) == []


def test_a_file_is_given_once(tmp_path: Path) -> None:
    h = tmp_path / "h"
    touched(h / "a.jpg", h / "b.jpg", h / "sub" / "c.jpg", h / "notes.txt")
    (tmp_path / "link").symlink_to(h)
    again = [h / "a.jpg", h / "sub", h / "sub" / ".." / "b.jpg", tmp_path / "link", h / "*.jpg"]
    for paths in ([h, *again], [*again, h]):
        names = [file.name for file in find(paths)]
        assert sorted(names) == ["a.jpg", "b.jpg", "sub/c.jpg"]
    assert [file.name for file in find([h, h / "notes.txt"])][-1] == "notes.txt"


def test_a_folder_that_cannot_be_listed_is_given_to_be_reported(closed: Path) -> None:
    touched(closed / "z.jpg")
    unread, image = find([closed])
    assert unread.unread.startswith("cannot read the folder: ")
    assert (image.name, image.unread) == ("z.jpg", "")
    assert list(find([closed], videos=True)) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="to root no folder is closed")
def test_what_permissions_hide_is_given_to_be_reported(tmp_path: Path) -> None:
    touched(tmp_path / "lost+found" / "a.jpg", tmp_path / "z.jpg")
    (tmp_path / "lost+found").chmod(0)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "lost+found" / "a.jpg")
    try:
        named = [tmp_path, tmp_path / "lost+found" / "[a].jpg"]
        found = {file.name: bool(file.unread) for file in find(named)}
    finally:
        (tmp_path / "lost+found").chmod(0o700)
    assert found == {
        "link.jpg": False,
        "lost+found": True,
        "z.jpg": False,
        "lost+found/[a].jpg": False,
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Screenshot 9.41.00\u202fAM\u200c\u3000é\U0001f600.png", None),
        (r"C\new folder\a.jpg", None),
        (os.fsdecode(b"line\nbreak\xff.png"), r"line\x0abreak\xff.png"),
        ("next\x85line\u2028sep", r"next\u0085line\u2028sep"),
        (r"a\xe9.jpg", r"a\x5cxe9.jpg"),
        (os.fsdecode("写真".encode("shift_jis")), r"\x8eʐ^"),
    ],
)
def test_names_are_text_of_one_line(name: str, shown: str | None) -> None:
    assert printable(name) == (shown or name)
    printable(name).encode()


@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join))
def test_from_the_text_follows_the_name(name: str) -> None:
    def original(escape: re.Match[str]) -> str:
        code = int(escape[0][2:], 16)
        return chr(code + 0xDC00 if escape[0][1] == "x" and code >= 0x80 else code)

    stored = os.fsencode(name).decode(errors="surrogateescape")
    assert re.sub(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}", original, printable(name)) == stored


def test_names_that_are_no_utf_8_stay_apart(tmp_path: Path) -> None:
    for i in range(80):
        touched(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + bytes([0xA1 + i]) + b".jpg")))
    names = [file.name for file in find([tmp_path])]
    assert len(set(names)) == 80
    assert r"\xa1.jpg" in names


@pytest.mark.parametrize("name", ["../photos/f.jpg", "a/../../f.jpg", "..", "/f.jpg", "link/f.jpg"])
def test_nothing_is_written_outside_its_folder(tmp_path: Path, name: str) -> None:
    pictures = tmp_path / "out" / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "link").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="another --out"):
        below(pictures, name)
    assert below(pictures, "sub/f.jpg") == pictures / "sub" / "f.jpg"


def test_nothing_is_written_through_a_link_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "pictures").symlink_to(tmp_path / "photos")
    with pytest.raises(OutputError, match="link"):
        below(tmp_path / "out" / "pictures", "f.jpg")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "out")
    videos = tmp_path / "elsewhere" / "videos"
    assert below(videos, "f.mp4") == videos / "f.mp4"


def test_names_that_escapes_make_too_long_are_cut_and_stay_apart(tmp_path: Path) -> None:
    names = [r"\x83" * 90 + end for end in ("a.jpg", "b.jpg")]
    paths = {below(tmp_path, f"sub/{name}") for name in names}
    assert len(paths) == 2
    for path in paths:
        assert path.suffix == ".jpg"
        assert len(path.name.encode()) <= LONGEST
        touched(path)
