"""Interlaced videos are deinterlaced; progressive ones are not touched."""

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from engines.types import U8
from offline.video.fields import Deinterlacer
from offline.video.streams import choose_stream, open_container
from tests.cases import Case
from tests.offline.video.ffmpeg import decode, difference, ffmpeg, shown, shown_by_ffmpeg, video
from tests.photographs import ASTRONAUT_FILE

DEINTERLACED = "deinterlaced; as many frames as before"
YUV = ("-pix_fmt", "yuv420p")
TFF, BFF = "interleave_top,setfield=tff", "interleave_bottom,setfield=bff"


class Interlaced(NamedTuple):
    """A row, and how ffmpeg makes the video."""

    case: Case
    file: str
    order: str
    arguments: tuple[str, ...]


def coded(file: str, name: str, *arguments: str, order: str = TFF) -> Interlaced:
    return Interlaced(Case(name, "no combs at a face", DEINTERLACED), file, order, arguments)


X265 = "interlace=tff:log-level=error"
FLAGS = ("-flags", "+ildct+ilme")
INTERLACED = [
    coded("h264.ts", "H.264, top field first", "-c:v", "libx264", *FLAGS, *YUV),
    coded("bff.mp4", "H.264, bottom field first", "-c:v", "libx264", *FLAGS, *YUV, order=BFF),
    coded("mbaff.mp4", "H.264, MBAFF", "-c:v", "libx264", "-x264opts", "tff=1", *YUV),
    coded("mpeg2.mxf", "MPEG-2", "-c:v", "mpeg2video", *FLAGS, *YUV),
    coded("hevc.mp4", "HEVC", "-c:v", "libx265", *YUV, "-x265-params", X265),
    coded("prores.mov", "ProRes", "-c:v", "prores_ks", "-flags", "+ildct"),
    coded("dv.avi", "DV, bottom field first", "-c:v", "dvvideo", *YUV, order=BFF),
    coded("mjpeg.mov", "MJPEG: only the container states it", "-c:v", "mjpeg", "-q:v", "2"),
    coded("utvideo.mkv", "Ut Video: only the container states it", "-c:v", "utvideo", *YUV),
]  # fmt: skip


def moving(path: Path, sample: Interlaced, *, size: str = "720:576") -> Path:
    """Write the astronaut, who moves 16 pixels between two fields."""
    move = f"crop=320:256:x='16*n':y=0,scale={size},setsar=1,tinterlace={sample.order}"
    still = ("-loop", "1", "-r", "50", "-t", "0.2", "-i", ASTRONAUT_FILE)
    ffmpeg(*still, "-vf", move, *sample.arguments, path)
    return path


def combs(image: U8) -> float:
    """Difference of neighbouring lines, relative to that of lines of the same field."""
    lines = image.astype(np.int16)
    return float(np.abs(np.diff(lines, axis=0)).mean() / np.abs(lines[2:] - lines[:-2]).mean())


@pytest.mark.parametrize("sample", INTERLACED, ids=lambda sample: sample.file)
def test_interlaced_videos_are_deinterlaced(sample: Interlaced, tmp_path: Path) -> None:
    path = moving(tmp_path / sample.file, sample)
    before, after = shown_by_ffmpeg(path), shown(path)
    assert len(after) == len(before) == 5
    assert min(map(combs, before)) > 1
    assert max(map(combs, after)) < 0.8


def test_a_single_frame_is_not_lost(tmp_path: Path) -> None:
    path = moving(tmp_path / "long.mov", INTERLACED[5])
    ffmpeg("-i", path, "-frames:v", "1", "-c", "copy", tmp_path / "one.mov")
    assert len(shown(tmp_path / "one.mov")) == 1


def test_frames_that_cannot_be_deinterlaced_pass(tmp_path: Path) -> None:
    path = moving(tmp_path / "mjpeg.mov", INTERLACED[7])
    with open_container(path) as container:
        deinterlacer = Deinterlacer(choose_stream(container))
    formats = ("yuv420p", "yuv420p", "rgb96le", "rgb96le", "yuv420p")
    frames = [*(av.VideoFrame(16, 16, name) for name in formats), av.VideoFrame(2, 16, "yuv420p")]
    pairs = [pair for frame in (*frames, None) for pair in deinterlacer.push(frame)]
    assert [before for before, _ in pairs] == frames
    assert [before is after for before, after in pairs] == [False, False, True, True, False, True]


PROGRESSIVE = [
    Case("`repeat_pict` (3:2 pulldown of cinema)", "each frame once", "untouched, each frame once"),
    Case("progressive frames, `interlaced_frame=0`", "untouched", "untouched"),
    Case("progressive frames beside interlaced ones", "untouched", "untouched, in order"),
]


def test_progressive_frames_are_untouched_beside_interlaced_ones(tmp_path: Path) -> None:
    mpeg2 = ("-c:v", "mpeg2video", "-q:v", "2", *YUV)
    fields = moving(tmp_path / "fields.ts", INTERLACED[3])
    whole = video(tmp_path / "whole.ts", "-vf", "scale=720:576,setsar=1", *mpeg2, frames=3)
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(file.read_bytes() for file in (whole, fields, whole)))
    flags = [frame.interlaced_frame for frame in decode(path)]
    assert flags == [False] * 3 + [True] * 5 + [False] * 3
    images, theirs = shown(path), shown_by_ffmpeg(path)
    for image, raw, interlaced in zip(images, theirs, flags, strict=True):
        assert interlaced or difference(image, raw) < 1


def test_pulldown_is_not_interlaced(tmp_path: Path) -> None:
    pulldown = ("-c:v", "libx264", "-x264-params", "pulldown=32", *YUV)
    path = video(tmp_path / "pulldown.mkv", "-r", "24000/1001", *pulldown, frames=5)
    images, theirs = shown(path), shown_by_ffmpeg(path)
    assert not any(frame.interlaced_frame for frame in decode(path))
    assert all(difference(a, b) < 1 for a, b in zip(images, theirs, strict=True))


def test_a_change_of_size_loses_no_frame(tmp_path: Path) -> None:
    parts = [
        moving(tmp_path / f"{size.replace(':', 'x')}.ts", INTERLACED[0], size=size)
        for size in ("720:576", "480:288")
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(file.read_bytes() for file in parts))
    assert len(shown(path)) == len(decode(path)) == 10


CASES = [*(sample.case for sample in INTERLACED), *PROGRESSIVE]
