"""JPEGs of all forms with whole tables; the GPU decodes the plain ones."""

from PIL import Image

from tests.analysis.jpegs.files import (
    SIZE,
    behind_last_samples,
    changed,
    inserted,
    pillow,
    replaced,
    restarts,
    sampled,
    segment,
    segments,
    separate_scans,
    without,
)
from tests.analysis.jpegs.jpeg_case import CORRUPT, CPU, GPU, jpeg

FRAME, EXTENDED, ARITHMETIC, LINES, SCAN = 0xC0, 0xC1, 0xC9, 0xDC, 0xDA
TURNED = Image.Exif()
TURNED[0x0112] = 6


def restarted() -> bytes:
    return pillow(restart_marker_blocks=7)


def without_a_restart() -> bytes:
    place = restarts(restarted())[3]
    return restarted()[:place] + restarted()[place + 2 :]


def out_of_order() -> bytes:
    place = restarts(restarted())[3] + 1
    return restarted()[:place] + b"\xd6" + restarted()[place + 1 :]


def with_lines() -> bytes:
    """The height is not in the frame but behind the samples."""
    data = pillow()
    first = segment(data, FRAME).start
    height = data[first + 5 : first + 7]
    data = changed(changed(data, FRAME, 5, 0), FRAME, 6, 0)
    return behind_last_samples(data, bytes([0xFF, LINES, 0, 4]) + height)


def two_frames() -> bytes:
    data = pillow()
    frame = segment(data, FRAME)
    return inserted(data, FRAME, data[frame.start : frame.end])


def joined_tables() -> bytes:
    """All tables of a kind are in one segment, as in files of cameras."""
    data = pillow()
    for marker in (0xDB, 0xC4):
        found = [each for each in segments(data) if each.marker == marker]
        body = b"".join(data[each.start + 4 : each.end] for each in found)
        for _ in found[1:]:
            data = without(data, marker, 1)
        data = replaced(data, marker, body)
    return data


def without_samples() -> bytes:
    return pillow()[: segments(pillow())[-1].end] + b"\xff\xd9"


FORM_CASES = [
    *(
        jpeg(f"JPEG, chroma {':'.join(each)}", "its pixels", GPU, lambda each=each: sampled(each))  # type: ignore[misc]
        for each in ("444", "422", "420", "440")
    ),
    jpeg("JPEG, grey", "grey in all three channels", GPU, lambda: sampled("Gray")),
    jpeg("JPEG, restart markers", "its pixels", GPU, restarted),
    jpeg("JPEG, EXIF", "turned upright", GPU, lambda: pillow(exif=TURNED.tobytes())),
    jpeg("JPEG, ICC profile", "the profile is ignored", GPU, lambda: pillow(icc_profile=b"x" * 99)),
    jpeg("JPEG, without JFIF's header", "its pixels", GPU, lambda: without(pillow(), 0xE0)),
    jpeg("JPEG, one segment for all tables of a kind", "its pixels", GPU, joined_tables),
    jpeg("JPEG, bytes behind its end", "they are ignored", GPU, lambda: pillow() + bytes(999)),
    jpeg(
        "JPEG, extended frame of 8 bits",
        "its pixels",
        GPU,
        lambda: changed(pillow(), FRAME, 1, EXTENDED),
    ),
    jpeg("JPEG, chroma 4:1:1", "its pixels", CPU, lambda: sampled("411")),
    jpeg("JPEG, progressive", "its pixels", CPU, lambda: pillow(progressive=True)),
    jpeg("JPEG, CMYK", "converted to RGB", CPU, lambda: pillow("CMYK")),
    jpeg("JPEG, RGB without YCbCr", "its pixels", CPU, lambda: pillow(keep_rgb=True)),
    jpeg("JPEG, a scan per colour", "its pixels", CPU, separate_scans),
    jpeg("JPEG, height behind the samples", "its pixels, or an error", CPU, with_lines),
    jpeg(
        "JPEG, names of components that are not 1, 2, 3",
        "its pixels",
        CPU,
        lambda: changed(changed(pillow(), FRAME, 10, 0), SCAN, 5, 0),
    ),
    jpeg(
        "JPEG, arithmetic codes",
        "its pixels",
        CPU,
        lambda: changed(pillow(), FRAME, 1, ARITHMETIC),
    ),
    jpeg("JPEG, a restart marker is missing", "its pixels, or an error", CPU, without_a_restart),
    jpeg("JPEG, restart markers out of order", "its pixels, or an error", CPU, out_of_order),
    jpeg(
        "JPEG, restart marker without an interval",
        "its pixels, or an error",
        CPU,
        lambda: behind_last_samples(pillow(), b"\xff\xd0"),
    ),
    jpeg(
        "JPEG, fill bytes behind the samples",
        "its pixels",
        CPU,
        lambda: behind_last_samples(pillow(), b"\xff"),
    ),
    jpeg("JPEG, two frames", "its pixels, or an error", CPU, two_frames),
    jpeg(
        "JPEG, grey, scan of another component",
        "an error",
        CORRUPT,
        lambda: changed(sampled("Gray"), SCAN, 5, 7),
    ),
    jpeg("JPEG, no samples", "its pixels, or an error", CPU, without_samples),
    jpeg(
        "JPEG, more than 4 bytes per pixel",
        "its pixels",
        CPU,
        lambda: behind_last_samples(pillow(), bytes(4 * SIZE[0] * SIZE[1])),
    ),
    jpeg("JPEG, cut off", "an error", CORRUPT, lambda: pillow()[:-9]),
    jpeg(
        "JPEG, 12 bits per sample",
        "its pixels",
        "415 `unsupported_media`",
        lambda: changed(pillow(), FRAME, 4, 12),
    ),
]
