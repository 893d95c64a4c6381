"""The fields that ffprobe prints of a stream and a frame, and what becomes of each.

`PICTURE` are all rows about pictures and timecode, and `FIELDS` is the list of fields.
"""

from tests.cases import Case
from tests.offline.video import (
    test_colour,
    test_cropping,
    test_faces,
    test_fields,
    test_geometry,
    test_orientation,
    test_picture,
    test_streams,
    test_timecode,
)

MODULES = (
    test_orientation,
    test_geometry,
    test_cropping,
    test_fields,
    test_colour,
    test_picture,
    test_streams,
    test_timecode,
    test_faces,
)
PICTURE: list[Case] = [case for module in MODULES for case in module.CASES]


def used(fields: str, how: str, module: object) -> Case:
    return Case(fields, "used", f"{how} ({_name(module)})")


def harmless(fields: str, why: str, module: object) -> Case:
    return Case(fields, "harmless", f"{why} ({_name(module)})")


def _name(module: object) -> str:
    return f"`{str(getattr(module, '__name__', '')).rpartition('.')[2]}`"


FIELDS: list[Case] = [
    used("`width`, `height`, `coded_width`, `coded_height`", "the cropped size", test_picture),
    used("side data: frame cropping", "only that part is shown", test_cropping),
    used("`sample_aspect_ratio`, `display_aspect_ratio`", "pixels become square", test_geometry),
    used("`displaymatrix`, `rotation`; EXIF", "turned and mirrored", test_orientation),
    used("`field_order`, `interlaced_frame`, `top_field_first`", "deinterlaced", test_fields),
    harmless("`repeat_pict`", "each frame counts once", test_fields),
    used("`pix_fmt`, `bits_per_raw_sample`", "8-bit RGB", test_picture),
    used("`color_space`, `color_range`, `chroma_location`", "as in ffmpeg", test_picture),
    used("`color_transfer`, `color_primaries`", "HDR and BT.2020 become SDR", test_colour),
    harmless("mastering display, content light level", "203 cd/m2 is white", test_picture),
    used("`codec_tag_string`: `dvh1`, `dvhe`, `dav1`", "false colours are reported", test_streams),
    used("`index`, `DISPOSITION:default`, `attached_pic`", "the stream to show", test_streams),
    used(
        "`TAG:timecode`, GOP timecode, `timecode` of a frame",
        "a column, counted at the rate of the video",
        test_timecode,
    ),
    harmless("`film_grain`", "is drawn, as in ffmpeg", test_picture),
    harmless("stereo 3D", "both pictures are analyzed, as stored", test_picture),
    harmless("pan and scan, SEI user data", "the whole picture counts", test_picture),
]
