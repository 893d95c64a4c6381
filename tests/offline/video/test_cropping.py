"""A container may state that only a part of the picture is shown."""

import struct
from pathlib import Path

import av
import pytest

from offline.video.cropping import Cropping
from offline.video.streams import open_container
from tests.cases import Case
from tests.offline.video.ffmpeg import (
    AS_FFMPEG,
    CLOSE,
    HEIGHT,
    WIDTH,
    X264,
    YUV,
    difference,
    ffmpeg,
    shown,
    shown_by_ffmpeg,
    video,
)

# What is shown, in pixels, and its centre relative to that of the picture (ISO/IEC 14496-12,
# 12.1.4).
SIZE, CENTRE = (100, 60), (10, -4)
CLAP = struct.pack(
    ">I4s8I", 40, b"clap", SIZE[0], 1, SIZE[1], 1, CENTRE[0], 1, CENTRE[1] % 2**32, 1
)
BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
CROPPED = {
    suffix: Case(f"cropping in the container: {name}", "what a player shows", AS_FFMPEG)
    for suffix, name in (("mov", "`clap` (QuickTime, MP4)"), ("mkv", "`PixelCrop` (Matroska)"))
}


def cropped(path: Path, clap: bytes = CLAP) -> Path:
    """Write the portrait, of which a part is shown."""
    plain, mov = path.with_name("plain.mov"), path.with_suffix(".mov")
    data = bytearray(video(plain, *X264, *YUV).read_bytes())
    place = 0
    for box in BOXES:
        place = data.index(box, place)
        size = int.from_bytes(data[place - 4 : place], "big")
        data[place - 4 : place] = (size + len(clap)).to_bytes(4, "big")
    mov.write_bytes(data[: place - 4 + size] + clap + data[place - 4 + size :])
    if path != mov:
        ffmpeg("-i", mov, "-c", "copy", path)
    return path


@pytest.mark.parametrize("suffix", CROPPED)
def test_what_the_container_crops_is_not_analyzed(suffix: str, tmp_path: Path) -> None:
    path = cropped(tmp_path / f"cropped.{suffix}")
    ours, theirs = shown(path), shown_by_ffmpeg(path)
    assert ours[0].shape == (SIZE[1], SIZE[0], 3)
    assert all(difference(a, b) < CLOSE for a, b in zip(ours, theirs, strict=True))


def test_each_stream_has_its_own_cropping(tmp_path: Path) -> None:
    path = cropped(tmp_path / "cropped.mkv")
    plain = tmp_path / "plain.mov"
    ffmpeg("-i", plain, "-i", path, "-map", "0", "-map", "1", "-c", "copy", tmp_path / "two.mkv")
    with open_container(tmp_path / "two.mkv") as container:
        first, second = (Cropping.of(stream) for stream in container.streams.video)
    assert first == Cropping()
    assert (second.left + second.right, second.top + second.bottom) == (
        WIDTH - SIZE[0],
        HEIGHT - SIZE[1],
    )


def test_a_cropping_that_leaves_nothing_is_ignored() -> None:
    frame = av.VideoFrame(WIDTH, HEIGHT)
    cropping = Cropping(left=WIDTH)
    assert (cropping.size(frame), cropping.filters(frame)) == ((WIDTH, HEIGHT), [])


CASES = [*CROPPED.values()]
