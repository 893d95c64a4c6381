"""Files below the paths of a command line, their names as text, and the paths of results."""

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.errors import OutputError
from offline.files import common_folder, find_files
from offline.names import MAX_NAME_BYTES, ResultPaths, output_path, printable

# Parts of names that look like escapes, or need them.
PARTS = ("\\", r"\x", r"\u", "e9", "00e9", "5c", "é", "\n", "\x85", "\u2028", "\udce9", "\udcc3")


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that not even root can list: its path is longer than the system allows."""
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
    touch(tmp_path / "photos" / "f.jpg", scripts / "samples" / "g.jpg")
    monkeypatch.chdir(scripts)
    paths = [Path("../../photos"), Path("samples")]
    assert [file.name for file in find_files(paths)] == [
        "photos/f.jpg",
        "project/scripts/samples/g.jpg",
    ]
    assert common_folder(paths) == tmp_path.resolve()
    (tmp_path / "link").symlink_to(scripts)
    upwards = [tmp_path / "link" / ".." / "scripts" / "samples", tmp_path / "photos"]
    names = ["project/scripts/samples/g.jpg", "photos/f.jpg"]
    assert [file.name for file in find_files(upwards)] == names
    assert [file.name for file in find_files([Path("nowhere/..")])] == ["scripts"]


def test_the_folder_for_results_is_excluded_under_all_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    touch(photos / "a.jpg", photos / "sub" / "b.jpg", photos / "out" / "pictures" / "a.jpg")
    (tmp_path / "link").symlink_to(photos / "out")
    monkeypatch.chdir(photos / "sub")
    for out in (Path("../out"), tmp_path / "link", photos / "sub" / ".." / "out"):
        assert [file.name for file in find_files([photos], out)] == ["a.jpg", "sub/b.jpg"]
        assert list(find_files([photos / "out" / "pictures"], out)) == []


def test_each_file_is_found_once(tmp_path: Path) -> None:
    h = tmp_path / "h"
    touch(h / "a.jpg", h / "b.jpg", h / "sub" / "c.jpg", h / "notes.txt")
    (tmp_path / "link").symlink_to(h)
    again = [h / "a.jpg", h / "sub", h / "sub" / ".." / "b.jpg", tmp_path / "link", h / "*.jpg"]
    for paths in ([h, *again], [*again, h]):
        names = [file.name for file in find_files(paths)]
        assert sorted(names) == ["a.jpg", "b.jpg", "notes.txt", "sub/c.jpg"]
    named = {file.name: file.named for file in find_files([h, h / "a.jpg", h / "b.*"])}
    assert named == {"a.jpg": True, "b.jpg": False, "notes.txt": False, "sub/c.jpg": False}


def test_a_folder_that_cannot_be_listed_is_yielded_with_its_error(closed: Path) -> None:
    touch(closed / "z.jpg")
    folder, image = find_files([closed])
    assert "cannot list the folder" in folder.error
    assert (image.name, image.error) == ("z.jpg", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_paths_without_permission_are_yielded_for_their_reader_to_report(tmp_path: Path) -> None:
    touch(tmp_path / "lost+found" / "a.jpg", tmp_path / "z.jpg")
    (tmp_path / "lost+found").chmod(0)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "lost+found" / "a.jpg")
    try:
        named = [tmp_path, tmp_path / "lost+found" / "[a].jpg"]
        found = {file.name: bool(file.error) for file in find_files(named)}
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
def test_the_name_can_be_restored_from_its_text(name: str) -> None:
    def original(escape: re.Match[str]) -> str:
        code = int(escape[0][2:], 16)
        return chr(code + 0xDC00 if escape[0][1] == "x" and code >= 0x80 else code)

    stored = os.fsencode(name).decode(errors="surrogateescape")
    assert re.sub(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}", original, printable(name)) == stored


def test_names_that_are_not_utf_8_stay_different(tmp_path: Path) -> None:
    for i in range(80):
        touch(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + bytes([0xA1 + i]) + b".jpg")))
    names = [file.name for file in find_files([tmp_path])]
    assert len(set(names)) == 80
    assert r"\xa1.jpg" in names


@pytest.mark.parametrize("name", ["../photos/f.jpg", "a/../../f.jpg", "..", "/f.jpg", "link/f.jpg"])
def test_a_result_outside_its_folder_is_rejected(tmp_path: Path, name: str) -> None:
    pictures = tmp_path / "out" / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "link").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="another --out"):
        output_path(pictures, name)
    assert output_path(pictures, "sub/f.jpg") == pictures / "sub" / "f.jpg"


def test_a_link_in_the_place_of_the_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "pictures").symlink_to(tmp_path / "photos")
    with pytest.raises(OutputError, match="link"):
        output_path(tmp_path / "out" / "pictures", "f.jpg")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "out")
    videos = tmp_path / "elsewhere" / "videos"
    assert output_path(videos, "f.mp4") == videos / "f.mp4"


def test_names_that_escapes_make_too_long_are_cut_and_stay_different(tmp_path: Path) -> None:
    names = [r"\x83" * 90 + end for end in ("a.jpg", "b.jpg")]
    paths = {output_path(tmp_path, f"sub/{name}") for name in names}
    assert len(paths) == 2
    for path in paths:
        assert path.suffix == ".jpg"
        assert len(path.name.encode()) <= MAX_NAME_BYTES
        touch(path)


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), unique=True
    )
)
def test_no_two_names_share_a_path_where_case_does_not_count(names: list[str]) -> None:
    names = [printable(name) for name in names if name not in {".", ".."}]
    paths = ResultPaths(Path("out"), fold=True)
    found = {unicodedata.normalize("NFD", str(paths.path(name)).lower()) for name in names}
    assert len(found) == len(names)


def test_results_keep_their_names_where_they_can() -> None:
    names = ["A.jpg", "a.jpg", "B.JPG"]
    plain, folded = (ResultPaths(Path("out"), ["b.jpg"], fold=fold) for fold in (False, True))
    assert [plain.path(name).name for name in names] == names
    first, second, third = (folded.path(name).name for name in names)
    assert first == names[0]
    assert re.fullmatch(r"a-[0-9a-f]{16}\.jpg", second)
    assert re.fullmatch(r"B-[0-9a-f]{16}\.JPG", third)


def test_the_results_are_not_read_through_a_link(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    touch(photos / "a.jpg", out / "pictures" / "a.jpg", tmp_path / "more" / "b.jpg")
    (photos / "results").symlink_to(out)
    (photos / "pictures").symlink_to(out / "pictures")
    (photos / "all").symlink_to(tmp_path / "more")
    assert [file.name for file in find_files([photos], out)] == ["a.jpg", "all/b.jpg"]


def test_a_named_file_is_not_read_again_through_a_link(tmp_path: Path) -> None:
    touch(tmp_path / "photos" / "a.jpg", tmp_path / "more" / "b.jpg")
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "more")
    paths = [tmp_path / "photos", tmp_path / "more" / "b.jpg"]
    assert [file.name for file in find_files(paths)] == ["photos/a.jpg", "more/b.jpg"]


def test_a_folder_behind_a_link_keeps_its_own_name(tmp_path: Path) -> None:
    touch(tmp_path / "z" / "a.jpg")
    (tmp_path / "a").symlink_to("z")
    assert [file.name for file in find_files([tmp_path])] == ["z/a.jpg"]


def test_a_pattern_without_a_match_is_a_path(tmp_path: Path) -> None:
    touch(tmp_path / "broken.jpg", tmp_path / "more" / "naïve, 1.JPG")
    found = find_files([tmp_path / "**" / "*.[jJ]*", tmp_path / "no.jpg"])
    assert [file.name for file in found] == ["broken.jpg", "more/naïve, 1.JPG", "no.jpg"]


def test_a_pattern_matches_folders_as_in_a_shell(tmp_path: Path) -> None:
    touch(tmp_path / "2024-05" / "a.jpg", tmp_path / "2024-06" / "b.jpg", tmp_path / "c.jpg")
    names = [file.name for file in find_files([tmp_path / "2024-*"])]
    assert names == ["2024-05/a.jpg", "2024-06/b.jpg"]
