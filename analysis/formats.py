"""Names the format of a file by its first bytes: names and content types may be wrong.

A format that is not read is named in the error if its first bytes are clear. The user then learns
how to convert the file.
"""

import re
import struct

from analysis.errors import UnsupportedMediaTypeError

READ = "the formats are JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC, AVIF and JPEG XL"
RAW = "a camera RAW file; export it as JPEG"
VIDEO = "a video, not an image; `emotions predict` reads videos"
# The first bytes of the formats that are read, without those of ISO base media files.
SIGNATURES = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"BM.{12}[\x0c(48@l|]\0\0\0", "BMP"),  # with the size of a header: a text may begin with BM
    (rb"GIF8[79]a", "GIF"),
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
)
# The first bytes of other formats, of camera RAW files first: some resemble TIFF.
REFUSED = (
    (rb"II\*\0....CR|IIR[OS]|IIU\0|FUJIFILMCCD-RAW|FOVb|\0MRM", RAW),
    (rb"II\xbc\x01", "a JPEG XR image; save it as JPEG"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image; save it as JPEG"),
    (rb"8BP[SB]", "a Photoshop document; export it as JPEG or PNG"),
    (rb"P[1-7]\s", "a Netpbm image; save it as PNG"),
    (rb"qoif", "a QOI image; save it as PNG"),
    (rb"v/1\x01|#\?RADIANCE", "an image with floating-point colours; export it as JPEG"),
    (rb"\0\0[\x01\x02]\0(?!\0\0)|icns", "an icon; save it as PNG"),
    # Colours or greys, plain or as run lengths; or a palette.
    (
        rb".(\0[\x02\x03\n\v]\0{5}|\x01[\x01\t].{5}).{8}[\x08\x0f\x10\x18\x20]",
        "a TGA image; save it as PNG",
    ),
    (rb"\n[\x00\x02-\x05]\x01[\x01\x02\x04\x08]", "a PCX image; save it as PNG"),
    (rb"DDS \x7c\0\0\0", "a DDS texture; save it as PNG"),
    (rb"gimp xcf", "a GIMP document; export it as JPEG or PNG"),
    (rb".{128}DICM", "a DICOM file; export its pictures as PNG"),
    (rb"%PDF", "a PDF document; export its pages as JPEG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document; export its pages as JPEG"),
    (rb"\s*(<\?xml.*?|<!--.*?)?<svg\b", "a drawing (SVG); export it as PNG"),
    (rb"\s*<(!doctype html|html)\b", "a web page, not an image; send the image itself"),
    (rb"\s*(data:image/|/9j/|iVBORw0K|UklGR|R0lGOD)", "an image as base64 text; send its bytes"),
    (rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf|\x28\xb5\x2f\xfd", "an archive; send the images in it"),
    (
        rb"RIFF....AVI |\x1aE\xdf\xa3|FLV\x01|\0\0\x01[\xb3\xba]|\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        VIDEO,
    ),
    (rb"(?-i:....(moov|mdat|wide|free|skip)|OggS)|\x06\x0e\x2b\x34", VIDEO),
    (rb"(G.{187}){2}G|....(G.{191}){2}G", VIDEO),
)
TIFF = re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+")
FLAGS = re.DOTALL | re.IGNORECASE
# Brands of ISO base media files (ISO 14496-12, 4.3), and what they announce.
BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
OTHER_CODECS = (b"avci", b"avcs", b"vvic", b"vvis", b"jpeg", b"jpgs", b"j2ki", b"j2is")
REFUSED_BRANDS = {
    b"crx ": RAW,
    **dict.fromkeys(OTHER_CODECS, "a HEIF image without HEVC; export it as JPEG"),
}
# Image files whose brands leave the codec open.
ANY_CODEC = (b"mif1", b"mif2", b"msf1")


def sniff(data: bytes) -> str:
    """Return the format by the first bytes of a file; 4 KiB are enough.

    Raises:
        UnsupportedMediaTypeError: no supported format; the message names it if it is known.
    """
    for pattern, kind in SIGNATURES:
        if re.match(pattern, data, re.DOTALL):
            return kind
    if data[4:8] == b"ftyp":
        return _by_brand(data)
    for pattern, name in REFUSED:
        if re.match(pattern, data[:4096], FLAGS):
            raise refusal(name)
    if TIFF.match(data):
        return "TIFF"
    raise refusal("not an image" if data else "no bytes at all")


def refusal(name: str) -> UnsupportedMediaTypeError:
    """Return the error for a file that is not read."""
    return UnsupportedMediaTypeError(f"{name}; {READ}")


def _by_brand(data: bytes) -> str:
    """Name an ISO base media file by its major brand, or else by its first compatible one."""
    size = min(struct.unpack_from(">I", data)[0], len(data), 4096)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, size, 4))]
    for brand in brands:
        if brand in BRANDS:
            return BRANDS[brand]
        if brand in REFUSED_BRANDS:
            raise refusal(REFUSED_BRANDS[brand])
    if brands[0] in ANY_CODEC:
        return "HEIC"
    raise refusal(VIDEO)
