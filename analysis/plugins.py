"""Loads the Pillow decoders that few images need, when the first such image arrives.

HEIC and JPEG XL have libraries of their own, which are an extra of the package. Decoders use one
thread each: the workers already use all cores.
"""

from collections.abc import Callable
from functools import cache

from analysis.errors import UnsupportedMediaTypeError
from analysis.formats import refusal


@cache
def load(kind: str) -> str:
    """Load the decoder of a format; return Pillow's name of the format.

    Raises:
        UnsupportedMediaTypeError: the format needs a library that is not installed.
    """
    return LOADERS[kind]() if kind in LOADERS else kind


def _avif() -> str:
    from PIL import AvifImagePlugin  # noqa: PLC0415

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return "AVIF"


def _heic() -> str:
    try:
        import pillow_heif  # noqa: PLC0415
    except ImportError as error:
        raise _missing("HEIC", "pillow-heif") from error
    pillow_heif.register_heif_opener(
        decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
    )
    return "HEIF"


def _jpeg_xl() -> str:
    try:
        from pillow_jxl import JpegXLImagePlugin  # noqa: PLC0415
    except ImportError as error:
        raise _missing("JPEG XL", "pillow-jxl-plugin") from error
    JpegXLImagePlugin.DECODE_THREADS = 0  # no thread besides the caller's
    return "JXL"


def _missing(kind: str, package: str) -> UnsupportedMediaTypeError:
    return refusal(f"{kind} needs {package}: ./build.sh installs it, or pip install '.[photos]'")


LOADERS: dict[str, Callable[[], str]] = {"AVIF": _avif, "HEIC": _heic, "JPEG XL": _jpeg_xl}
