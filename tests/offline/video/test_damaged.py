"""Damaged videos: the frames that ffmpeg decodes are analyzed, and what is lost is reported."""

import random
import threading
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.video.camera import newest_frames
from offline.video.damage import Damage
from offline.video.decoding import Decoder
from offline.video.reading import read_frames
from tests.cases import Case
from tests.offline.video.harm import Damaged, Harm, Sample, middle, named
from tests.offline.video.moving import FRAMES, MPEG2, X264, decoded_by_ffmpeg

REST = "the other frames, and a report"
LOST = "as many frames as ffmpeg decodes; the lost packets are reported; failed"
PAUSE = "as many frames as ffmpeg decodes; the time without frames is reported"
DISTORTED = "as many frames as ffmpeg decodes; the distorted frame is reported"


def lost(name: str, file: str, options: str, harm: Harm, happens: str) -> Sample:
    return Sample(Case(name, REST, happens), file, options, harm)


RANDOM = middle(3000, random.Random(0).randbytes)
ZEROS, FEW_ZEROS = middle(25_000, bytes), middle(8000, bytes)
REMOVED = middle(5001, lambda size: b"")
NEAR_END = middle(25_000, bytes, share=0.93)  # where threads decode ahead of the error
AT_START = middle(8000, bytes, share=0.0001)
DAMAGED = [
    lost(
        "ProRes in MOV, 8,000 zeros in the first frame", "p.mov", "-c:v prores_ks", AT_START, LOST
    ),
    lost("ProRes in MOV, 25,000 zeros in the middle", "p.mov", "-c:v prores_ks", ZEROS, LOST),
    lost("ProRes in MOV, 25,000 zeros near the end", "p.mov", "-c:v prores_ks", NEAR_END, LOST),
    lost("ProRes in MOV, 3,000 random bytes", "p.mov", "-c:v prores_ks", RANDOM, DISTORTED),
    lost("H.264 in MP4, 25,000 zeros", "h.mp4", X264, ZEROS, LOST),
    lost("H.264 in TS, 5,001 bytes missing", "h.ts", X264, REMOVED, PAUSE),
    lost("HEVC in MP4, 8,000 zeros", "h5.mp4", "-c:v libx265 -preset ultrafast", FEW_ZEROS, LOST),
    lost("FFV1 in Matroska, 25,000 zeros", "f.mkv", "-c:v ffv1 -level 3", ZEROS, PAUSE),
    lost("MPEG-2 in TS, 5,001 bytes missing", "m.ts", MPEG2, REMOVED, DISTORTED),
    lost("MPEG-2 in PS, 3,000 random bytes", "m.mpg", MPEG2, RANDOM, DISTORTED),
    lost("MPEG-4 in MP4, 25,000 zeros", "m4.mp4", "-c:v mpeg4 -b:v 2M", ZEROS, LOST),
    lost("Motion JPEG in MOV, 25,000 zeros", "j.mov", "-c:v mjpeg -q:v 2", ZEROS, LOST),
]


@named(DAMAGED)
def test_damage_costs_what_ffmpeg_cannot_decode(damaged: Damaged, sample: Sample) -> None:
    path, damage = damaged(sample), Damage()
    frames = list(read_frames(path, damage=damage))
    assert len(frames) == decoded_by_ffmpeg(path)
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert FRAMES / 2 < len(frames) <= FRAMES
    happens = LOST if damage.gaps else PAUSE if damage.pauses else DISTORTED
    assert (happens, happens == LOST) == (sample.case.happens, damage.incomplete)
    words = {LOST: " lost be", PAUSE: "no frames between", DISTORTED: "may be distorted, from"}
    assert words[happens] in "\n".join(damage.lines())
    times = [None, *(frame.time for frame in frames), None]
    assert {(gap.start, gap.end) for gap in damage.gaps + damage.pauses} <= {*pairwise(times)}


@pytest.mark.parametrize("threads", [1, 16])
@named([sample for sample in DAMAGED if sample.harm is NEAR_END or sample.file == "h5.mp4"])
def test_threads_neither_lose_nor_repeat_frames(
    damaged: Damaged, sample: Sample, threads: int
) -> None:
    path = damaged(sample)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = threads
        times = [frame.pts for frame in Decoder(container, stream, Damage()).frames()]
    assert len(times) == len(set(times)) == decoded_by_ffmpeg(path)


def test_a_camera_goes_on_after_damage(damaged: Damaged) -> None:
    path = damaged(DAMAGED[0])
    *_, last = newest_frames(str(path), threading.Event())
    assert last.number == decoded_by_ffmpeg(path) - 1


@given(st.lists(st.one_of(st.none(), st.floats(0, 1))), st.booleans())
def test_every_lost_packet_is_in_a_gap(events: list[float | None], joined: bool) -> None:
    """An event is a lost packet, or a frame and the seconds since the one before."""
    damage, time, lost_packets, begun = Damage(), 0.0, 0, False
    damage.joined = joined
    for step in events:
        if step is None:
            damage.lose()
            lost_packets += begun or not joined
        else:
            time, begun = time + step, True
            damage.add_frame(time, 0.04, distorted=False, key=True)
    damage.finish()
    lost_packets *= begun
    assert sum(gap.packets for gap in damage.gaps) == lost_packets
    assert all((gap.start or 0) <= (gap.end or time) <= time for gap in damage.gaps)


def test_packets_without_frames_at_the_end_are_a_gap() -> None:
    damage = Damage()
    damage.add_frame(0.0, 0.04, distorted=False, key=True)
    damage.finish(rest=0.5)
    assert (damage.lines(), damage.incomplete) == (["no frames after 0.00 s"], True)


def test_many_gaps_are_counted() -> None:
    damage = Damage()
    for i in range(10):
        damage.add_frame(float(i), 0.04, distorted=False, key=True)
        damage.lose()
    damage.finish()
    assert damage.lines()[:2] == [
        "1 packet lost between 0.00 and 1.00 s",
        "1 packet lost between 1.00 and 2.00 s",
    ]
    assert damage.lines()[5:] == ["5 more gaps, 5 packets lost"]
