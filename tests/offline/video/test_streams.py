"""Of several streams, the one that ffmpeg shows is analyzed."""

from pathlib import Path
from typing import NamedTuple

import av
import pytest
from PIL import Image

from offline.errors import CorruptVideoError
from offline.video.reading import count_frames, read_frames
from offline.video.streams import choose_stream, remarks
from tests.cases import Case
from tests.offline.video.ffmpeg import PORTRAIT, STILL, ffmpeg, shown, shown_by_ffmpeg, video

SOURCE = ("-f", "lavfi", "-t", "0.2", "-i", "testsrc2=s=320x240:r=10")


class Several(NamedTuple):
    """A row, a file, the dispositions of its small and its large stream, and the one shown."""

    case: Case
    file: str
    dispositions: tuple[str, str]
    width: int


SEVERAL = [
    Several(
        Case(f"two video streams, {name}", "one, and a report", f"the {which} is analyzed"),
        file, dispositions, width,
    )
    for name, which, file, dispositions, width in (
        ("no default", "larger one", "none.mkv", ("0", "0"), 320),
        ("the small one is the default", "default one", "default.mkv", ("default", "0"), 160),
        ("both are default", "larger one", "both.mkv", ("default", "default"), 320),
        ("in a transport stream", "larger one", "ts.ts", ("0", "0"), 320),
        ("one is a cover picture", "video", "cover.mp4", ("0", "attached_pic"), 160),
    )
]  # fmt: skip


def two(path: Path, dispositions: tuple[str, str]) -> Path:
    """Write the portrait as the first stream, and a larger test picture as the second one."""
    cover = dispositions[1] == "attached_pic"
    ffmpeg(
        *(*STILL, *SOURCE, "-map", "0", "-map", "1", "-pix_fmt:v:0", "yuv420p"),
        *("-c:v:0", "libx264", "-c:v:1", "png" if cover else "libx264"),
        *("-frames:v:1", "1" if cover else "2", "-pix_fmt:v:1", "rgb24" if cover else "yuv420p"),
        *("-disposition:v:0", dispositions[0], "-disposition:v:1", dispositions[1], path),
        data=PORTRAIT.tobytes() * 2,
    )
    return path


@pytest.mark.parametrize("several", SEVERAL, ids=lambda several: several.file)
def test_the_stream_that_ffmpeg_shows_is_chosen(several: Several, tmp_path: Path) -> None:
    path = two(tmp_path / several.file, several.dispositions)
    assert shown(path)[0].shape[1] == several.width
    assert shown(path)[0].shape == shown_by_ffmpeg(path)[0].shape
    with av.open(str(path)) as container:
        lines = remarks(container, choose_stream(container))
    if several.dispositions[1] == "attached_pic":
        assert lines == []
    else:
        assert lines == [f"2 video streams; the one of {several.width}x"
                         f"{shown(path)[0].shape[0]} is analyzed"]  # fmt: skip


SONG = Case("sound with a cover picture", "no video", "error: the file holds no video")


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    ffmpeg(
        *("-f", "lavfi", "-t", "0.2", "-i", "sine", *STILL, "-map", "0", "-map", "1"),
        *("-c:v", "png", "-frames:v", "1", "-disposition:v:0", "attached_pic", path),
        data=PORTRAIT.tobytes(),
    )
    with av.open(str(path)) as container, pytest.raises(CorruptVideoError, match="no video"):
        choose_stream(container)


DOLBY = Case(
    "Dolby Vision without a base layer (profile 5)", "an error", "read; false colours are reported"
)


def test_dolby_vision_without_a_base_layer_is_reported(tmp_path: Path) -> None:
    x265 = ("-c:v", "libx265", "-x265-params", "log-level=error", "-tag:v", "dvh1")
    path = video(tmp_path / "dolby.mp4", *x265, "-strict", "unofficial")
    with av.open(str(path)) as container:
        (line,) = remarks(container, choose_stream(container))
    assert "Dolby Vision" in line
    assert len(shown(path)) == 2


NAME = Case("a file named `10:30.mkv`", "read", "read; the name is no protocol")
TEXT = Case("titles and comments that are not UTF-8", "read", "read")
TAG = Case("`codec_tag_string` of any bytes", "read", "read")


@pytest.mark.parametrize("file", ["latin.avi", "latin.mkv", "latin.mov"])
def test_titles_may_have_any_encoding(file: str, tmp_path: Path) -> None:
    for stream in ("", ":s:v"):
        path = video(tmp_path / file, "-c:v", "mpeg4", f"-metadata{stream}", "title=caf\udce9")
        assert count_frames(path, None) == len(list(read_frames(path))) == 2


@pytest.mark.parametrize("name", ["10:30.mkv", "pipe:0.mkv", "%03d.mkv", "\udce9.mkv"])
def test_a_file_may_have_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video(tmp_path / "plain.mkv", "-c:v", "ffv1").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert count_frames(Path(name), None) == len(list(read_frames(Path(name)))) == 2


def test_exif_may_have_any_encoding(tmp_path: Path) -> None:
    still, exif = tmp_path / "still.jpg", Image.Exif()
    exif[0x013B] = b"Ren\xe9"  # Artist
    Image.fromarray(PORTRAIT).save(still, exif=exif)
    ffmpeg("-i", still, "-c", "copy", tmp_path / "exif.mov")
    assert len(list(read_frames(tmp_path / "exif.mov"))) == 1


def test_a_codec_tag_may_have_any_value(tmp_path: Path) -> None:
    path = tmp_path / "bayer.nut"
    raw = ("-f", "rawvideo", "-pix_fmt", "bayer_rggb8", "-s", "16x16", "-i", "-")
    ffmpeg(*raw, "-c:v", "rawvideo", path, data=bytes(2 * 16 * 16))
    assert len(list(read_frames(path))) == 2


CASES = [*(several.case for several in SEVERAL), SONG, DOLBY, NAME, TEXT, TAG]
