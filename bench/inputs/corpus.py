"""Small images of every format that the service reads, and request bodies that hold them.

The fuzzers start from them, `mutations` damages them, and the soak sends them.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageCms

from bench.inputs import photos
from bench.inputs.forms import Body, as_json, as_msgpack, as_multipart
from bench.inputs.saving import saved
from engines.types import U8

WIDTH, HEIGHT = 24, 16


def pixels(width: int = WIDTH, height: int = HEIGHT) -> U8:
    """A picture with a different colour in each corner: RGB (height, width, 3) uint8."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.asarray(np.stack([200 * x + 20, 200 * y + 20, 220 - 180 * x * y], -1), np.uint8)


@cache
def images() -> dict[str, bytes]:
    """Sound files by name; all show `pixels()`, in grey where the name has it or 16 bits."""
    plain = Image.fromarray(pixels())
    other = Image.fromarray(255 - pixels())
    grey, half = plain.convert("L"), plain.convert("RGBA")
    half.putalpha(255)
    exif = Image.Exif()
    exif[0x010F] = "corpus"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    wide = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    animation = {"save_all": True, "append_images": [other]}
    fine: dict[str, object] = {"quality": 95, "subsampling": 0}
    return {
        "JPEG": saved(plain, "JPEG", **fine),
        "JPEG, progressive": saved(plain, "JPEG", progressive=True, **fine),
        "JPEG, grey": saved(grey, "JPEG", quality=95),
        "JPEG, CMYK": saved(plain.convert("CMYK"), "JPEG", **fine),
        "JPEG, YCCK": ycck(plain),
        "JPEG, EXIF": saved(plain, "JPEG", exif=exif.tobytes(), **fine),
        "JPEG, ICC profile": saved(plain, "JPEG", icc_profile=profile, **fine),
        "JPEG, several pictures (MPO)": saved(plain, "MPO", **animation, **fine),
        "JPEG, gain map (Ultra HDR)": saved(plain, "JPEG", **fine) + saved(grey, "JPEG"),
        "PNG": saved(plain, "PNG"),
        "PNG, grey": saved(grey, "PNG"),
        "PNG, 16-bit grey": saved(wide, "PNG"),
        "PNG, palette": saved(plain.quantize(256), "PNG"),
        "PNG, alpha": saved(half, "PNG"),
        "PNG, ICC profile": saved(plain, "PNG", icc_profile=profile),
        "PNG, animated": saved(plain, "PNG", **animation),
        "WebP": saved(plain, "WEBP", quality=95),
        "WebP, lossless": saved(plain, "WEBP", lossless=True),
        "WebP, alpha": saved(half, "WEBP", lossless=True),
        "WebP, animated": saved(plain, "WEBP", lossless=True, **animation),
        "BMP": saved(plain, "BMP"),
        "BMP, palette": saved(plain.quantize(256), "BMP"),
        **dict(photos.files(plain, other)),
    }


def ycck(image: Image.Image) -> bytes:
    """A CMYK JPEG that stores its first three inks as luminance and chrominance.

    Pillow inverts the inks and states this in Adobe's segment; the transform there is set to 2.
    """
    inks = image.convert("CMYK").split()
    colours = Image.merge("RGB", inks[:3]).convert("YCbCr").split()
    stored = [ImageChops.invert(band) for band in colours]
    data = bytearray(saved(Image.merge("CMYK", [*stored, inks[3]]), "JPEG", quality=95))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


@cache
def bodies() -> tuple[Body, ...]:
    """Each image as a body of its own, and two images in each of the other forms."""
    found = [Body(_type(name), data) for name, data in images().items()]
    pair = [images()["JPEG"], images()["PNG"]]
    return (*found, as_multipart(pair), as_json(pair), as_msgpack(pair))


def _type(name: str) -> str:
    kind = name.partition(",")[0].lower()
    return f"image/{'jxl' if kind == 'jpeg xl' else kind}"
