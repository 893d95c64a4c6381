"""A JPEG file of a test, and the decoder that must decode it."""

from collections.abc import Callable
from typing import NamedTuple

from tests.cases import Case

GPU, CPU, CORRUPT = "the GPU decodes it", "the CPU decodes it", "422 `corrupt_image`"


class JpegCase(NamedTuple):
    """What must happen to a JPEG, and the file."""

    case: Case
    file: Callable[[], bytes]


def jpeg(name: str, expected: str, happens: str, file: Callable[[], bytes]) -> JpegCase:
    return JpegCase(Case(name, expected, happens), file)
