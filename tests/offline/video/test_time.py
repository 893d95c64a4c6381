"""Times of frames are those that ffmpeg shows them at, counted from the first frame."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.video.analyze import analyze_video
from offline.video.clock import Clock
from offline.video.damage import Damage
from offline.video.reading import count_frames, read_frames
from offline.video.writing import open_video
from tests.cases import Case
from tests.offline.helpers import FakeAnalyzer, read_table
from tests.offline.video.ffmpeg import ffmpeg
from tests.offline.video.moving import FRAMES, MPEG2, X264, decoded_by_ffmpeg, make, picture

STEADY = tuple(i / 25 for i in range(FRAMES))
PAUSE_S = 20.0
PAUSED = tuple(i / 25 + PAUSE_S * (i > 20) for i in range(FRAMES))
SOME = tuple(i / 25 for i in range(FRAMES) if i % 7 == 0 or i > 30)
BFRAMES = f"{X264} -preset veryfast -bf 3"
VARIABLE = "-vf select='not(mod(n\\,7))+gt(n\\,30)' -fps_mode vfr"
PAUSING = f"-vf setpts='PTS+gt(N\\,20)*{PAUSE_S}/TB' -fps_mode vfr"
KEPT, CONTINUED = "every frame, at its time", "the times go on by one frame"


class Sample(NamedTuple):
    """A row, the file, how it is made, and the times of its frames."""

    case: Case
    file: str
    make: Callable[[Path], object]
    times: Sequence[float]


def sample(
    name: str, file: str, options: str, times: Sequence[float] = STEADY, rate: str = "25"
) -> Sample:
    case = Case(name, KEPT, KEPT)
    return Sample(case, file, lambda path: make(path, options, rate=rate), times)


def joined(name: str, file: str, *options: str, frames: int = FRAMES) -> Sample:
    """Recordings one after the other in one file."""

    def write(path: Path) -> None:
        parts = [make(path.with_name(f"{i}-{file}"), part) for i, part in enumerate(options)]
        path.write_bytes(b"".join(part.read_bytes() for part in parts))

    times = tuple(i / 25 for i in range(frames * len(options)))
    return Sample(Case(name, CONTINUED, CONTINUED), file, write, times)


def copied(name: str, options: str, times: Sequence[float], file: str = "copy.mp4") -> Sample:
    """A copy of a video without encoding; `options` are before and after the input."""

    def write(path: Path) -> None:
        first = make(path.with_name("first.mp4"), BFRAMES)
        before, after = options.split("INPUT")
        ffmpeg(*before.split(), "-i", first, "-c", "copy", *after.split(), path)

    return Sample(Case(name, KEPT, KEPT), file, write, times)


def with_sound(name: str, file: str, codec: str) -> Sample:
    def write(path: Path) -> None:
        tone = ("-f", "lavfi", "-i", "sine=duration=6")
        ffmpeg(*picture(), *tone, *X264.split(), "-c:a", codec, path)

    return Sample(Case(name, KEPT, KEPT), file, write, STEADY)


def few_more_stated(path: Path) -> None:
    """An AVI file whose header states two frames more than there are."""
    make(path, "-c:v mjpeg")
    data = path.read_bytes()
    field = data.index(b"vids") + 32  # dwLength of the stream's header, after its type
    assert int.from_bytes(data[field : field + 4], "little") == FRAMES
    path.write_bytes(data[:field] + (FRAMES + 2).to_bytes(4, "little") + data[field + 4 :])


MOVIE = "-movflags empty_moov+frag_keyframe"
TIMES = [
    sample("`start_time` of 1,000 s", "b.ts", f"{BFRAMES} -output_ts_offset 1000"),
    sample("the clock of MPEG-TS wraps after 26.5 h", "w.ts", f"{X264} -output_ts_offset 95441"),
    sample("B-frames", "b.mp4", BFRAMES),
    sample("AVI with B-frames: `pts=N/A`, decoding times only", "b.avi", BFRAMES),
    sample("AVI with packed B-frames", "p.avi", "-c:v mpeg4 -bf 2"),
    sample("raw H.264: no timestamps at all", "r.h264", BFRAMES),
    sample("raw MPEG-2: some frames without `pts`", "r.m2v", MPEG2),
    sample("`r_frame_rate` differs from `avg_frame_rate`", "v.mp4", f"{VARIABLE} {X264}", SOME),
    sample("variable frame rate in Matroska", "v.mkv", f"{VARIABLE} {X264}", SOME),
    sample("`avg_frame_rate=0/0`", "o.ogv", "-c:v libtheora"),
    sample("one frame lasts 20 s", "s.mp4", f"{PAUSING} {X264}", PAUSED),
    sample("one frame per second", "1.webm", "-c:v libvpx", (0.0, 1.0), rate="1"),
    sample(
        "29.97 frames per second in MPEG-PS",
        *("n.mpg", MPEG2, tuple(i * 1.001 / 30 for i in range(60)), "30000/1001"),
    ),
    sample(
        "cinema at 23.976 with pulldown flags (`repeat_pict`)",
        *("t.ts", f"{X264} -x264-params pulldown=32:pic-struct=1"),
        *(tuple(i * 1.001 / 24 for i in range(48)), "24000/1001"),
    ),
    sample("fragmented MP4", "f.mp4", f"{X264} {MOVIE}"),
    sample("FLV", "b.flv", BFRAMES),
    sample("MXF", "m.mxf", MPEG2),
    sample("GIF", "g.gif", "-c:v gif"),
    copied("edit list that starts late: the times of an empty edit", "-itsoffset 2 INPUT", STEADY),
    copied("edit list that skips a second", "-ss 1 INPUT", STEADY[:25]),
    copied("negative timestamps", "INPUT -avoid_negative_ts disabled -use_editlist 0", STEADY),
    with_sound("sound that lasts 4 s longer, MP4", "l.mp4", "aac"),
    with_sound("sound that lasts 4 s longer, Matroska", "l.mkv", "aac"),
    Sample(
        Case("the header states two frames more than there are", KEPT, KEPT),
        *("more.avi", few_more_stated, STEADY),
    ),
    joined(
        "two recordings in MPEG-TS; the clock jumps 1.4 h forward",
        "f.ts",
        MPEG2,
        f"{MPEG2} -output_ts_offset 5000",
    ),
    joined(
        "two recordings in MPEG-TS; the clock jumps 1.4 h back",
        "b.ts",
        f"{MPEG2} -output_ts_offset 5000",
        MPEG2,
    ),
    joined("the same recording twice in MPEG-TS", "s.ts", MPEG2, MPEG2),
    joined("the same recording twice in MPEG-PS", "s.mpg", MPEG2, MPEG2),
    joined(
        "the same recording of 0.4 s twice in MPEG-TS",
        "t.ts",
        *[f"{MPEG2} -frames:v 10"] * 2,
        frames=10,
    ),
]


@pytest.mark.parametrize("sample", TIMES, ids=lambda sample: sample.case.input)
def test_times_of_sound_videos(sample: Sample, tmp_path: Path) -> None:
    path, damage = tmp_path / sample.file, Damage()
    sample.make(path)
    frames = list(read_frames(path, damage=damage))
    assert [frame.time for frame in frames] == pytest.approx(sample.times, abs=2e-3)
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert sample.case.happens in (KEPT, CONTINUED)
    assert damage.lines() == []
    few = [frame.time for frame in read_frames(path, fps=5)]
    assert few[0] == 0
    assert all(later - time >= 0.139 for time, later in pairwise(few))
    assert len(few) <= 5 * (sample.times[-1] + 0.2) + 1
    estimate = count_frames(path, None)
    assert estimate is None or estimate > 0


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> av.VideoStream:
    path = make(tmp_path_factory.mktemp("stream") / "s.mp4", X264)
    return av.open(str(path)).streams.video[0]


@given(
    timestamps=st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1),
    jumps=st.booleans(),
)
def test_times_start_at_zero_and_never_decrease(
    stream: av.VideoStream, timestamps: list[int | None], jumps: bool
) -> None:
    clock, times = Clock(stream, jumps=jumps), []
    for timestamp in timestamps:
        frame = av.VideoFrame(16, 16)
        frame.pts = timestamp
        times.append(clock.time_of(frame))
    assert times[0] == 0
    assert times == sorted(times)


async def test_tables_have_the_timecode(tmp_path: Path) -> None:
    path = make(tmp_path / "t.mov", f"{X264} -timecode 10:00:00:23")
    out, analyzer = tmp_path / "out", FakeAnalyzer()
    await analyze_video(analyzer, "t.mov", read_frames(path, fps=12.5), out, lambda result: None)
    codes = [row["timecode"] for row in read_table(out / "frames.csv")]
    assert codes[:3] == ["10:00:00:23", "10:00:01:00", "10:00:01:02"]


def test_video_mp4_keeps_the_times(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    times = [0.0, 0.04, 0.04, 0.5, 0.5, 7.25]
    with open_video(path) as writer:
        for i, time in enumerate(times):
            writer.write(np.full((64, 64, 3), 40 * i, np.uint8), time)
    assert [frame.time for frame in read_frames(path)] == pytest.approx(times, abs=1e-3)


def test_a_video_that_changes_its_size_keeps_the_size_of_its_first_frame(tmp_path: Path) -> None:
    parts = [make(tmp_path / f"{size}.ts", f"-s {size} {MPEG2}") for size in ("160x120", "320x240")]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(read_frames(path))
    assert len(frames) == decoded_by_ffmpeg(path)
    assert {frame.image.shape for frame in frames} == {(120, 160, 3)}
    written = tmp_path / "video.mp4"
    with open_video(written) as writer:
        for frame in frames:
            writer.write(frame.image, frame.time)
    assert [frame.time for frame in read_frames(written)] == pytest.approx(
        [frame.time for frame in frames], abs=1e-3
    )
