"""Each format has one defined result, which docs/robustness.md lists."""

from operator import itemgetter

import numpy as np
import pytest
from PIL import Image

from analysis.decode import decode
from analysis.errors import UnsupportedMediaTypeError
from analysis.formats import READ
from analysis.limits import ImageLimits
from bench.inputs import corpus
from bench.inputs.others import others
from tests.cases import Case

LIMITS = ImageLimits(max_bytes=1 << 20, max_pixels=2_000_000)
GREY = np.asarray(Image.fromarray(corpus.pixels()).convert("L").convert("RGB"))
TURNED = "its pixels; `irot` and `imir` of the container are applied, orientation in EXIF is not"
# What a user expects of each sound file, beside its pixels.
EXPECTED = {
    "JPEG, grey": "grey in all three channels",
    "JPEG, CMYK": "converted to RGB; the inverted inks of Adobe are handled",
    "JPEG, YCCK": "converted to CMYK, then to RGB",
    "JPEG, EXIF": "orientation 1 to 8 is applied; other EXIF data are ignored",
    "JPEG, ICC profile": "the profile is ignored",
    "JPEG, several pictures (MPO)": "the first picture",
    "JPEG, gain map (Ultra HDR)": "the picture without its gain map",
    "PNG, grey": "grey in all three channels",
    "PNG, 16-bit grey": "the high byte of each sample",
    "PNG, palette": "the colours of the palette",
    "PNG, alpha": "composited on white",
    "PNG, ICC profile": "the profile is ignored",
    "PNG, animated": "the first frame",
    "WebP, alpha": "composited on white",
    "WebP, animated": "the first frame",
    "BMP, palette": "the colours of the palette",
    "GIF, grey": "grey in all three channels; interlaced",
    "GIF, animated": "the first frame",
    "TIFF, several pages": "the first page that is no thumbnail",
    "TIFF, 16 bits": "the high byte of each sample",
    "TIFF, 16-bit grey": "the high byte of each sample",
    "TIFF, 16-bit grey, white is zero": "inverted",
    "TIFF, floating-point grey, white is zero": "inverted",
    "TIFF, grey, premultiplied alpha": "composited on white",
    "TIFF, floating-point grey": "the full scale is 1, or 255 or 65,535 if a sample exceeds it",
    "TIFF, palette": "the colours of the palette",
    "TIFF, CMYK": "converted to RGB",
    "TIFF, YCbCr": "converted to RGB",
    "TIFF, LAB": "converted to RGB",
    "TIFF, alpha": "composited on white",
    "HEIC": TURNED,
    "HEIC, 10 bits": "the high bits of each sample",
    "HEIC, alpha": "composited on white",
    "HEIC, several pictures": "the primary picture",
    "HEIC, tiles": "the whole image",
    "AVIF": TURNED,
    "AVIF, alpha": "composited on white",
    "AVIF, animated": "the first frame",
    "JPEG XL": "its pixels; the orientation of the codestream is applied, that of EXIF is not",
    "JPEG XL, alpha": "composited on white",
    "JPEG XL, 16-bit grey": "the high byte of each sample",
}
FORMATS = [Case(name, EXPECTED.get(name, "its pixels"), "as expected") for name in corpus.images()]
# What the error of each other format says, at least in part.
TIFF = "a TIFF image with"
UNUSUAL = f"{TIFF} unusual samples; save it with 8 bits each"
LOSSLESS = "a lossless JPEG or JPEG-LS image; save it as plain JPEG or as PNG"
RAW = "a camera RAW file; export it as JPEG"
VIDEO = "a video, not an image; `emotions predict` reads videos"
OTHERS = [
    Case(name, expected, f"415 `unsupported_media`: {says}")
    for name, expected, says in (
        ("camera RAW (DNG)", "its picture", RAW),
        ("camera RAW (NEF, ARW)", "its picture", RAW),
        ("camera RAW (CR2)", "its picture", RAW),
        ("camera RAW (CR3)", "its picture", RAW),
        ("camera RAW (RAF, ORF, RW2)", "its picture", RAW),
        ("TIFF, LZMA", "its pixels", f"{TIFF} compression 34925; save it with LZW or Deflate"),
        *(
            (f"TIFF, {samples}", "its pixels, or an error", UNUSUAL)
            for samples in (
                "64-bit samples",
                "16-bit floats",
                "32-bit unsigned grey",
                "32-bit grey, big-endian, Deflate",
                "12 bits",
                "10, 14 or 24 bits",
                "signed samples",
                "16 bits, planes",
            )
        ),
        ("JPEG, 12 bits", "its pixels", "a JPEG image with 12 bits per sample; save it with 8"),
        ("JPEG, lossless", "its pixels", LOSSLESS),
        ("JPEG-LS", "its pixels", LOSSLESS),
        ("HEIF, AVC or VVC", "its pixels", "a HEIF image without HEVC; export it as JPEG"),
        (
            "HEIC, a sequence alone",
            "its first picture",
            "a HEIC sequence without a still image; export one as JPEG",
        ),
        (
            "AVIF, a sequence alone",
            "its first picture",
            "an AVIF sequence without a still image; export one as JPEG",
        ),
        ("JPEG 2000", "its pixels", "a JPEG 2000 image; save it as JPEG"),
        ("JPEG XR", "its pixels", "a JPEG XR image; save it as JPEG"),
        ("Photoshop", "its picture", "a Photoshop document; export it as JPEG or PNG"),
        ("icon", "an error", "an icon; save it as PNG"),
        ("icon (ICNS)", "an error", "an icon; save it as PNG"),
        ("TGA", "its pixels", "a TGA image; save it as PNG"),
        ("PCX", "its pixels", "a PCX image; save it as PNG"),
        ("DDS", "an error", "a DDS texture; save it as PNG"),
        ("GIMP", "its picture", "a GIMP document; export it as JPEG or PNG"),
        ("DICOM", "its pictures", "a DICOM file; export its pictures as PNG"),
        ("Netpbm", "its pixels", "a Netpbm image; save it as PNG"),
        ("QOI", "its pixels", "a QOI image; save it as PNG"),
        (
            "OpenEXR, Radiance",
            "an error",
            "an image with floating-point colours; export it as JPEG",
        ),
        ("SVG", "an error", "a drawing (SVG); export it as PNG"),
        ("PDF", "an error", "a PDF document; export its pages as JPEG"),
        ("PostScript", "an error", "a PostScript document; export its pages as JPEG"),
        ("ZIP", "an error", "an archive; send the images in it"),
        ("HTML", "an error", "a web page, not an image; send the image itself"),
        ("base64 text", "an error", "an image as base64 text; send its bytes"),
        ("video (MP4, MOV)", "an error", VIDEO),
        ("video (Matroska, WebM)", "an error", VIDEO),
        ("video (AVI)", "an error", VIDEO),
        ("video (MPEG-TS)", "an error", VIDEO),
        ("video (MXF)", "an error", VIDEO),
        ("text", "an error", "not an image"),
        ("text that begins with BM", "an error", "not an image"),
        ("nothing", "an error", "no bytes at all"),
    )
]


@pytest.mark.parametrize("case", FORMATS, ids=itemgetter(0))
def test_sound_images_of_every_kind_show_the_same(case: Case) -> None:
    found = decode(corpus.images()[case.input], LIMITS)
    expected = GREY if "grey" in case.input else corpus.pixels()
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 3


def refusal(data: bytes) -> str:
    """What happens to a file that is not read, as the table has it."""
    with pytest.raises(UnsupportedMediaTypeError) as caught:
        decode(data, LIMITS)
    error = caught.value
    return f"{error.status} `{error.code}`: {str(error).removesuffix('; ' + READ)}"


@pytest.mark.parametrize("case", OTHERS, ids=itemgetter(0))
def test_other_formats_are_named(case: Case) -> None:
    assert refusal(others()[case.input]) == case.happens


def test_the_tables_are_complete() -> None:
    assert EXPECTED.keys() <= corpus.images().keys()
    assert {case.input for case in OTHERS} == others().keys()
