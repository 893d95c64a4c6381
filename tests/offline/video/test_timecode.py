"""SMPTE timecode of the frames, as ffprobe and editing programs count it."""

from pathlib import Path
from typing import NamedTuple

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.video.streams import choose_stream
from offline.video.timecode import Timecode, Timecodes
from tests.cases import Case
from tests.offline.video.ffmpeg import ffmpeg

DAY = 24 * 60 * 60
DROP_FRAMES_PER_DAY = {30: 2_589_408, 60: 5_178_816}  # SMPTE ST 12-1


class Stated(NamedTuple):
    """A row, and a video of 12 frames: rate, timecode of the first and the last one."""

    case: Case
    file: str
    rate: str
    codec: str
    first: str
    last: str


def stated(name: str, file: str, rate: str, codec: str, *ends: str) -> Stated:
    first, last = ends
    happens = f"column `timecode`: {first} ... {last}" if first else "column `timecode` is empty"
    return Stated(Case(name, "in the tables", happens), file, rate, codec, first, last)


TEN = ("10:00:00:20", "10:00:01:06")
STATED = [
    stated("timecode track, 25 frames/s", "a.mov", "25", "libx264", *TEN),
    stated("timecode track of an MP4", "a.mp4", "25", "libx264", *TEN),
    stated("drop-frame, 29.97", "d.mov", "30000/1001", "libx264", "10:00:59;20", "10:01:00;03"),
    stated("non-drop, 29.97", "n.mov", "30000/1001", "libx264", "10:00:59:20", "10:01:00:01"),
    stated("50 frames/s", "50.mov", "50", "libx264", "10:00:00:40", "10:00:01:01"),
    stated("drop, 59.94", "60.mov", "60000/1001", "libx264", "10:00:59;50", "10:01:00;05"),
    stated("24 frames/s over midnight", "24.mov", "24", "libx264", "23:59:59:20", "00:00:00:07"),
    stated("tag of an MXF", "a.mxf", "25", "mpeg2video", *TEN),
    stated("tag of an AVI", "a.avi", "25", "mpeg4", *TEN),
    stated("tag of a Matroska file", "a.mkv", "25", "ffv1", *TEN),
    stated("time code of MPEG-2's groups", "a.ts", "25", "mpeg2video", *TEN),
    stated("time code of MPEG-2's groups, drop-frame", "d.mpg", "30000/1001", "mpeg2video",
           "10:00:59;20", "10:01:00;03"),
    stated("none", "none.mp4", "25", "libx264", "", ""),
]  # fmt: skip


def labels(path: Path) -> list[str]:
    """Return the timecode of each frame."""
    with av.open(str(path)) as container:
        stream = choose_stream(container)
        timecodes, frames = Timecodes(container, stream), list(container.decode(stream))
        return [timecodes.at(frame, frame.time - frames[0].time) for frame in frames]


@pytest.mark.parametrize("sample", STATED, ids=lambda sample: sample.file)
def test_the_frames_have_the_timecode_of_the_file(sample: Stated, tmp_path: Path) -> None:
    path = tmp_path / sample.file
    of_groups = path.suffix in (".ts", ".mpg")
    option = ["-gop_timecode" if of_groups else "-timecode", sample.first] if sample.first else []
    source = ("-f", "lavfi", "-i", f"testsrc2=s=720x576:r={sample.rate}", "-frames:v", 12)
    ffmpeg(*source, "-c:v", sample.codec, "-pix_fmt", "yuv420p", *option, path)
    found = labels(path)
    assert (len(found), found[0], found[-1]) == (12, sample.first, sample.last)


@pytest.mark.parametrize(
    "label", ["", "10:00:00", "24:00:00:00", "10:60:00:00", "10:00:00:25", "x"]
)
def test_other_labels_are_no_timecode(label: str) -> None:
    assert Timecode.parse(label, 25) is None


@given(st.sampled_from((24, 25, 30, 48, 50, 60)), st.booleans(), st.integers(0, 60 * DAY))
def test_a_label_names_one_frame_of_the_day(rate: int, drop: bool, frames: int) -> None:
    drop = drop and rate in DROP_FRAMES_PER_DAY
    per_day = DROP_FRAMES_PER_DAY[rate] if drop else rate * DAY
    code = Timecode(0, rate, drop).later(frames)
    assert code.frames == frames % per_day
    assert Timecode.parse(str(code), rate) == code


@given(st.sampled_from((30, 60)), st.integers(0, 60 * DAY))
def test_drop_frame_follows_the_clock(rate: int, frames: int) -> None:
    frames %= DROP_FRAMES_PER_DAY[rate]
    label = str(Timecode(frames, rate, drop=True))
    hours, minutes, seconds = (int(label[i : i + 2]) for i in (0, 3, 6))
    counted = (hours * 60 + minutes) * 60 + seconds + int(label[9:]) / rate
    # 2.6 frames per day, and the labels of a minute
    assert abs(counted - frames * 1001 / (rate * 1000)) < 0.2
    assert not (minutes % 10 and seconds == 0 and int(label[9:]) < rate // 15)


OWN = Case("timecode of each frame (H.264, HEVC)", "in the tables", "each frame has its own")


def test_a_frames_own_timecode_counts_where_the_file_states_none(tmp_path: Path) -> None:
    path = tmp_path / "plain.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25", "-frames:v", 1, "-c:v", "libx264", path)
    with av.open(str(path)) as container:
        timecodes = Timecodes(container, choose_stream(container))
    own = ["01:00:00:00", "02:00:00:00", ""]
    assert [timecodes.count(i / 25, label) for i, label in enumerate(own)] == own


CASES = [*(sample.case for sample in STATED), OWN]
