"""Kinds of files by their first bytes."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.contents import read_content
from offline.kinds import HEAD_BYTES, Kind, kind_of
from tests.cases import Case
from tests.offline import containers
from tests.photographs import HOPPER_FILE

VIDEO, LEFT_OUT = "a video", "no image and no video"
MPEG2 = "-c:v mpeg2video"
BROADCAST = "-s 720x576 -pix_fmt yuv420p -ar 48000"
# Each file that ffmpeg makes with these options, and what it is.
CONTAINERS = {
    Case("MP4", "read", VIDEO): "-c:v libx264 -f mp4",
    Case("MP4, fragmented", "read", VIDEO): "-c:v mpeg4 -movflags frag_keyframe -f mp4",
    Case("QuickTime", "read", VIDEO): "-c:v mpeg4 -f mov",
    Case("3GP", "read", VIDEO): "-c:v mpeg4 -an -f 3gp",
    Case("Matroska", "read", VIDEO): "-c:v mpeg4 -f matroska",
    Case("WebM", "read", VIDEO): "-c:v libvpx -f webm",
    Case("AVI", "read", VIDEO): "-c:v mpeg4 -f avi",
    Case("MPEG transport stream (`.ts`)", "read", VIDEO): f"{MPEG2} -f mpegts",
    Case("AVCHD, Blu-ray (`.mts`, `.m2ts`)", "read", VIDEO): (
        f"{MPEG2} -f mpegts -mpegts_m2ts_mode 1"
    ),
    Case("MPEG-1 program stream (`.mpg`)", "read", VIDEO): "-c:v mpeg1video -f mpeg",
    Case("DVD (`.vob`)", "read", VIDEO): f"{MPEG2} -f vob",
    Case("MPEG-2, elementary", "read", VIDEO): f"{MPEG2} -an -f mpeg2video",
    Case("MPEG-4, elementary", "read", VIDEO): "-c:v mpeg4 -an -f m4v",
    Case("H.264, elementary", "read", VIDEO): "-c:v libx264 -an -f h264",
    Case("HEVC, elementary", "read", VIDEO): "-c:v libx265 -x265-params log-level=none -an -f hevc",
    Case("MXF", "read", VIDEO): f"{MPEG2} -ar 48000 -f mxf",
    Case("GXF", "read", VIDEO): f"{MPEG2} {BROADCAST} -ac 1 -f gxf",
    Case("DV", "read", VIDEO): f"-c:v dvvideo {BROADCAST} -ac 2 -f dv",
    Case("Flash video", "read", VIDEO): "-c:v flv -ar 44100 -f flv",
    Case("Ogg", "read", VIDEO): "-c:v libtheora -c:a libvorbis -f ogg",
    Case("Windows Media", "read", VIDEO): "-c:v wmv2 -f asf",
    Case("Windows television", "read", VIDEO): f"{MPEG2} -f wtv",
    Case("RealMedia", "read", VIDEO): "-c:v rv10 -c:a ac3 -ac 1 -f rm",
    Case("NUT", "read", VIDEO): "-c:v mpeg4 -f nut",
    Case("IVF", "read", VIDEO): "-c:v libvpx -an -f ivf",
    Case("YUV4MPEG", "read", VIDEO): "-an -pix_fmt yuv420p -f yuv4mpegpipe",
    Case("MP3", "left out", LEFT_OUT): "-vn -f mp3",
    Case("WAV", "left out", LEFT_OUT): "-vn -f wav",
    Case("FLAC", "left out", LEFT_OUT): "-vn -f flac",
    Case("M4A", "left out", LEFT_OUT): "-vn -f ipod",
    Case("Ogg with sound alone", "left out", LEFT_OUT): "-vn -c:a libvorbis -f ogg",
    Case("Matroska with sound alone", "left out", LEFT_OUT): "-vn -f matroska",
    Case("Windows Media with sound alone", "left out", LEFT_OUT): "-vn -c:a wmav2 -f asf",
}


@pytest.mark.parametrize(
    ("case", "options"), CONTAINERS.items(), ids=[case.input for case in CONTAINERS]
)
def test_containers_are_known_by_their_content(case: Case, options: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"  # the name does not matter
    containers.make(path, options)
    kind = read_content(path, 0).kind
    assert {Kind.VIDEO: VIDEO, Kind.OTHER: LEFT_OUT}[kind] == case.happens


def with_error_correction(data: bytes) -> bytes:
    """Packets of 204 bytes, as some receivers store them."""
    return b"".join(data[at : at + 188] + bytes(16) for at in range(0, len(data), 188))


def without_its_type(data: bytes) -> bytes:
    """A QuickTime file of before 2001: it begins with its pictures or its index."""
    return data[int.from_bytes(data[:4], "big") :]


NOISE = random.Random(0).randbytes(60_000)
# Videos that do not begin as their containers do.
UNUSUAL: dict[Case, tuple[str, Callable[[bytes], bytes]]] = {
    Case("transport stream, cut within a packet", "read", VIDEO): (
        f"{MPEG2} -f mpegts",
        lambda data: data[1000:],
    ),
    Case("transport stream with error correction", "read", VIDEO): (
        f"{MPEG2} -f mpegts",
        with_error_correction,
    ),
    Case("program stream, cut within a pack", "read", VIDEO): (
        f"{MPEG2} -f vob",
        lambda data: data[1000:],
    ),
    Case("MXF after 60,000 other bytes", "read", VIDEO): (
        f"{MPEG2} -ar 48000 -f mxf",
        lambda data: NOISE + data,
    ),
    Case("QuickTime without a type, pictures first", "read", VIDEO): (
        "-c:v mpeg4 -f mov",
        without_its_type,
    ),
    Case("QuickTime without a type, index first", "read", VIDEO): (
        "-c:v mpeg4 -movflags faststart -f mov",
        without_its_type,
    ),
}


@pytest.mark.parametrize(("case", "how"), UNUSUAL.items(), ids=[case.input for case in UNUSUAL])
def test_videos_that_begin_unusually_are_known(
    case: Case, how: tuple[str, Callable[[bytes], bytes]], tmp_path: Path
) -> None:
    options, change = how
    (tmp_path / "b").write_bytes(change(containers.make(tmp_path / "a", options)))
    assert read_content(tmp_path / "b", 0).kind is Kind.VIDEO
    assert case.happens == VIDEO


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"The wide world",
        b"Get free tickets",
        b"BMW, a list of prices\n",
        b"G" * 5000,
        b"GATTACA\n" * 1000,
        (b"G0" + b" " * 185 + b"\n") * 10,
        bytes(5000),
        b"\x00\x00\x01\x00\x01\x00",  # an icon
        b"%PDF-1.7",
        b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X",  # what macOS stores beside a file
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10",  # FFmpeg would open the addresses in it
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
    ],
)
def test_other_files_are_neither_images_nor_videos(data: bytes) -> None:
    assert kind_of(data) is Kind.OTHER


@given(st.text(min_size=1))
def test_no_text_is_a_video(text: str) -> None:
    assert kind_of(text.encode()) is not Kind.VIDEO


@given(st.binary(max_size=200))
def test_every_beginning_has_a_kind(head: bytes) -> None:
    assert kind_of(head) in Kind


def test_only_the_beginning_of_a_large_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert read_content(path, 0).kind is Kind.OTHER
    path.write_bytes(HOPPER_FILE.read_bytes())
    assert read_content(path, 1 << 20).data == HOPPER_FILE.read_bytes()
    assert kind_of(HOPPER_FILE.read_bytes()[:HEAD_BYTES]) is Kind.IMAGE
