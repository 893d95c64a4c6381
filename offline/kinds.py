"""Kinds of files by their first bytes: images, videos, and others; names may be wrong.

Images are recognized by `analysis.formats.sniff`, videos by the patterns below. The libraries for
this (filetype, puremagic) know neither MPEG transport streams nor MXF, DV, IVF and raw H.264, and
puremagic goes by the suffix where it is unsure.
"""

import re
from enum import Enum

from analysis.errors import UnsupportedMediaTypeError
from analysis.formats import sniff

HEAD_BYTES = 4096
# MXF files may begin with up to 64 KiB of anything (SMPTE ST 377-1, run-in), and a Matroska header
# may name its video this late. Only files that `HEAD_BYTES` do not identify are read so far.
LONG_HEAD_BYTES = 65536 + 16

# Five packets of an MPEG transport stream in a row, with a payload or an adaptation field each
# (ISO/IEC 13818-1, 2.4.3.2): plain, with time stamps (M2TS), or with error correction. A recording
# may be cut within a packet.
TRANSPORT_STREAM = [
    re.compile(5 * (rb"\x47..[\x10-\x3f\x50-\x7f\x90-\xbf\xd0-\xff].{%d}" % (size - 4)), re.DOTALL)
    for size in (188, 192, 204)
]
# A pack of an MPEG program stream; a recording may be cut before one.
PACK = re.compile(rb"\x00\x00\x01\xba[\x20-\x2f\x40-\x7f]")
MXF = b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01"

# What a file begins with.
VIDEO = re.compile(
    rb"""
      .{4}(?:ftyp|moov|moof|mdat)                               # MP4, QuickTime, 3GP
    | \x00.{3}(?:wide|free|skip|pnot|styp|sidx)
    | \x1a\x45\xdf\xa3                                          # Matroska, WebM
    | RIFF.{4}(?:AVI[ \x19X]|AMV[ ])
    | OggS
    | \x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c  # ASF, Windows Media
    | \xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d  # Windows Television
    | FLV\x01
    | \.RMF                                                     # RealMedia
    | \x00{4}\x01\xbc.{4}\x00{4}\xe1\xe2                        # GXF
    | LEITCH\x00\x00                                            # LXF
    | \x1f\x07\x00[\x3f\xbf].{76}\x3f\x07                       # DV: header, then subcode block
    | DKIF | YUV4MPEG2[ ] | nut/multimedia[ ]container\x00 | BBCD\x00 | DHAV
    | \x00{2,3}\x01(?:
        [\xb0\xb3\xb5\xb8]                                      # MPEG-1, -2 and -4, elementary
      | [\x27\x47\x67] | \x09[\x10-\xf0]                        # H.264: parameters, delimiter
      | [\x40\x42\x46]\x01                                      # HEVC: parameters, delimiter
      )
    """,
    re.DOTALL | re.VERBOSE,
)
# MP4 files that hold sound, or a camera's raw picture.
NO_VIDEO = re.compile(rb".{4}ftyp(?:M4[ABP] |F4[AB] |aaxc?|crx )", re.DOTALL)
# Streams that Ogg, Matroska and ASF headers name. One that names sound alone is no video.
NAMES_STREAMS = re.compile(rb"OggS|\x1a\x45\xdf\xa3|\x30\x26\xb2\x75")
SOUND_STREAM = re.compile(
    rb"\x01vorbis|OpusHead|\x7fFLAC|Speex  |A_[A-Z]{2}"
    rb"|\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"
)
VIDEO_STREAM = re.compile(
    rb"\x80theora|BBCD\x00|\x01video|OVP80|V_[A-Z]{2}"
    rb"|\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"
)


class Kind(Enum):
    """What a file is."""

    IMAGE = "image"
    VIDEO = "video"
    OTHER = "other"


def kind_of(head: bytes) -> Kind:
    """Return the kind of a file by its first `HEAD_BYTES`, or by `LONG_HEAD_BYTES`."""
    if _is_image(head):
        return Kind.IMAGE
    return Kind.VIDEO if _is_video(head) else Kind.OTHER


def describe(head: bytes) -> str:
    """Return what a file of another kind is, and which images can be read."""
    if not head:
        return "the file is empty"
    try:
        sniff(head)
    except UnsupportedMediaTypeError as error:
        return f"neither an image nor a video: {error}"
    return "neither an image nor a video"


def _is_image(head: bytes) -> bool:
    try:
        sniff(head)
    except UnsupportedMediaTypeError:
        return False
    return True


def _is_video(head: bytes) -> bool:
    if VIDEO.match(head):
        return not NO_VIDEO.match(head) and not _names_sound_alone(head)
    return MXF in head or _is_stream(head[:HEAD_BYTES])


def _is_stream(start: bytes) -> bool:
    """Whether packs or packets begin somewhere; lines of text may repeat as these do."""
    return not start.isascii() and any(p.search(start) for p in (PACK, *TRANSPORT_STREAM))


def _names_sound_alone(head: bytes) -> bool:
    if not NAMES_STREAMS.match(head):
        return False
    return bool(SOUND_STREAM.search(head)) and not VIDEO_STREAM.search(head)
