"""Videos that break off or cannot be read: what there is is kept, and the reason is reported."""

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from offline.errors import CorruptVideoError
from offline.files import FoundFile
from offline.progress import ResultCounter
from offline.run import PredictRun
from offline.video.camera import newest_frames
from offline.video.damage import Damage
from offline.video.reading import read_frames
from offline.videos import predict_videos
from tests.cases import Case
from tests.offline.helpers import FakeAnalyzer, read_table
from tests.offline.video.ffmpeg import ffmpeg
from tests.offline.video.harm import Damaged, Sample, cut, middle, named
from tests.offline.video.moving import FRAMES, MPEG2, X264, decoded_by_ffmpeg

START = "the frames from the next group on; nothing is lost"
UNTIL_THERE = "the frames until there, and a report"
BROKEN_OFF = "the frames until there; both times are reported; failed"
ONE_FRAME = Sample(
    Case("MPEG-2 in TS, 5,001 bytes missing", "", ""),
    *("m.ts", MPEG2, middle(5001, lambda size: b"")),
)


def no_frames(data: bytes) -> bytes:
    """Replace all frames of an MP4 file with its index in front."""
    start = data.index(b"mdat") + 4
    return data[:start] + bytes(len(data) - start)


def unknown_format(data: bytes) -> bytes:
    """Change the code of the format in an MP4 file of H.264."""
    place = data.index(b"avc1", data.index(b"stsd"))
    return data[:place] + b"xyzw" + data[place + 4 :]


def broken(name: str, file: str, options: str, share: float = 0.7) -> Sample:
    return Sample(Case(name, UNTIL_THERE, BROKEN_OFF), file, options, cut(share))


HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=error"
FASTSTART = f"{X264} -movflags faststart"
FRAGMENTS = f"{X264} -movflags frag_keyframe+empty_moov"
BROKEN = [
    broken("MP4 with its index in front, cut off at 70 %", "f.mp4", FASTSTART),
    broken("fragmented MP4, cut off at 70 %", "g.mp4", FRAGMENTS),
    broken("Matroska, cut off at 70 %", "h.mkv", X264),
    broken("HEVC in Matroska, cut off at 70 %", "h5.mkv", HEVC),
    broken("WebM, cut off at 70 %", "v.webm", "-c:v libvpx -deadline realtime"),
    broken("MXF, cut off at 70 %", "m.mxf", MPEG2),
    broken("AVI, cut off at 70 %", "j.avi", "-c:v mjpeg"),
    broken("FLV, cut off at 70 %", "h.flv", X264),
]
UNREADABLE = [
    Sample(
        Case("MP4 with its index at the end, cut off", "the reason", "failed; names the index"),
        *("h.mp4", X264, cut(0.7)),
    ),
    Sample(
        Case("an empty file with the name of a video", "the reason", "failed; the file is empty"),
        *("h.mp4", X264, cut(0)),
    ),
    Sample(
        Case("MP4 with an unknown format of video", "the reason", "failed; no decoder"),
        *("h.mp4", X264, unknown_format),
    ),
    Sample(
        Case("no frame can be decoded", "the reason", "failed; no frame can be decoded; no folder"),
        *("p.mov", "-c:v prores_ks -movflags faststart", no_frames),
    ),
    Sample(
        Case(
            "a pixel format that FFmpeg cannot convert", "the reason", "failed; cannot be converted"
        ),
        *("g.nut", "-c:v rawvideo -pix_fmt rgb4 -s 64x64 -frames 3", lambda data: data),
    ),
]
STATED_BY_NOBODY = [
    Sample(
        Case(
            f"{name}, cut off",
            "the frames until there; the file states no duration",
            "the frames until there",
        ),
        *(file, options, cut(0.7)),
    )
    for name, file, options in (
        ("MPEG-2 in TS", "m.ts", MPEG2),
        ("MPEG-2 in PS", "m.mpg", MPEG2),
        ("raw H.264", "r.h264", X264),
        ("raw DV", "r.dv", "-s 720x576 -pix_fmt yuv420p -c:v dvvideo"),
        ("live Matroska, H.264", "h.mkv", f"{X264} -live 1"),
        ("live Matroska, HEVC", "h5.mkv", f"{HEVC} -live 1"),
        ("live Matroska, MPEG-2", "m.mkv", f"{MPEG2} -live 1"),
    )
]


MIDDLE_OF_GROUP = [
    Sample(
        Case(f"{name}, from the middle of a group of pictures on", START, START),
        *(file, options, lambda data: data[int(len(data) * 0.3) :]),
    )
    for name, file, options in (
        ("H.264 in TS", "h.ts", X264),
        ("MPEG-2 in TS", "m.ts", MPEG2),
        ("MPEG-2 in PS", "m.mpg", MPEG2),
    )
]


@named(BROKEN)
def test_a_video_that_breaks_off_is_kept_and_reported(damaged: Damaged, sample: Sample) -> None:
    path, damage = damaged(sample), Damage()
    frames = list(read_frames(path, damage=damage))
    assert len(frames) == decoded_by_ffmpeg(path)
    assert damage.incomplete
    words = str(damage.end).split()
    assert (words[:3], words[4], words[6]) == (["breaks", "off", "after"], "of", "s")
    assert float(words[3]) == pytest.approx(frames[-1].time, abs=0.2)
    assert float(words[5]) == pytest.approx(FRAMES / 25, abs=0.1)


@named(UNREADABLE)
def test_an_unreadable_video_has_a_reason(damaged: Damaged, sample: Sample) -> None:
    with pytest.raises(CorruptVideoError) as caught:
        list(read_frames(damaged(sample)))
    reason = sample.case.happens.split("; ")[1].removeprefix("names the ")
    assert reason in str(caught.value)


@named(STATED_BY_NOBODY)
def test_the_end_of_a_recording_that_states_no_duration_is_no_loss(
    damaged: Damaged, sample: Sample
) -> None:
    path, damage = damaged(sample), Damage()
    assert len(list(read_frames(path, damage=damage))) == decoded_by_ffmpeg(path)
    assert not damage.incomplete


@named(MIDDLE_OF_GROUP)
def test_a_broadcast_may_be_joined_anywhere(damaged: Damaged, sample: Sample) -> None:
    path, damage = damaged(sample), Damage()
    assert 0 < len(list(read_frames(path, damage=damage))) == decoded_by_ffmpeg(path)
    assert damage.lines() == []


async def analyze(path: Path, out: Path, *, resume: bool = False) -> tuple[ResultCounter, str]:
    """Analyze a video without networks; return the counts and what is printed."""
    output = io.StringIO()
    counter = ResultCounter(Console(file=output, width=200))
    files = [FoundFile(path, path.name, named=True)]
    await predict_videos(FakeAnalyzer(), files, PredictRun([path], resume=resume), out, counter)
    return counter, output.getvalue()


async def test_a_broken_video_fails_and_keeps_its_folder(damaged: Damaged, tmp_path: Path) -> None:
    path = damaged(BROKEN[0])
    counter, output = await analyze(path, tmp_path)
    assert (counter.videos, counter.failed) == (1, 1)
    assert f"{path.name}: " in output
    folder = tmp_path / "videos" / path.name
    assert len(read_table(folder / "frames.csv")) == decoded_by_ffmpeg(path)
    for text in (output, (folder / "report.html").read_text()):
        assert "breaks off after 1." in text
        assert "of 2.0 s" in text


async def test_a_resumed_run_reports_a_broken_video_again(damaged: Damaged, tmp_path: Path) -> None:
    path = damaged(BROKEN[0])
    await analyze(path, tmp_path)
    counter, output = await analyze(path, tmp_path, resume=True)
    assert (counter.videos, counter.failed, counter.done) == (1, 1, 0)
    assert "breaks off after 1." in output


async def test_a_video_without_frames_fails_and_leaves_nothing(
    damaged: Damaged, tmp_path: Path
) -> None:
    counter, output = await analyze(damaged(UNREADABLE[-2]), tmp_path)
    assert (counter.videos, counter.failed) == (1, 1)
    assert "no frame can be decoded" in output
    assert list((tmp_path / "videos").iterdir()) == []


async def test_a_distorted_frame_is_reported_and_fails_nothing(
    damaged: Damaged, tmp_path: Path
) -> None:
    counter, output = await analyze(damaged(ONE_FRAME), tmp_path)
    assert (counter.videos, counter.failed) == (1, 0)
    assert "may be distorted, from" in output


def test_a_camera_that_breaks_off_gives_its_frames_and_the_reason(
    damaged: Damaged,
) -> None:
    frames = newest_frames(str(damaged(BROKEN[0])), threading.Event())
    assert next(frames).image.any()
    with pytest.raises(CorruptVideoError, match="breaks off"):
        list(frames)


SIZES = {
    "17000x16": Case(
        "a picture wider or higher than 16,384 pixels",
        "analyzed",
        "analyzed; `video.mp4` is smaller",
    ),
    "1x600": Case("a picture one pixel wide", "an error", "failed; the other files are read"),
}


@pytest.mark.parametrize("size", SIZES)
async def test_a_size_that_x264_rejects_ends_no_run(size: str, tmp_path: Path) -> None:
    path, out = tmp_path / "odd.nut", tmp_path / "out"
    raw = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-i", "-", "-c:v", "rawvideo")
    ffmpeg(*raw, path, data=bytes(17000 * 16))
    counter, output = await analyze(path, out)
    assert (counter.videos, counter.failed) == (1, size == "1x600")
    if counter.failed:
        assert "odd.nut: cannot write the results" in output
    else:
        *_, frame = read_frames(out / "videos" / path.name / "video.mp4")
        assert frame.image.shape == (14, 16384, 3)


async def test_a_resumed_run_counts_videos_as_done(damaged: Damaged, tmp_path: Path) -> None:
    path = damaged(ONE_FRAME)
    await analyze(path, tmp_path)
    counter, output = await analyze(path, tmp_path, resume=True)
    assert (counter.videos, counter.done, counter.found, output) == (0, 1, 1, "")
