"""Videos that ffmpeg makes and a test damages: the rows of the tables about damage."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cases import Case
from tests.offline.video.moving import make

Harm = Callable[[bytes], bytes]


class Sample(NamedTuple):
    """A row, how ffmpeg makes the video, and what happens to it afterwards."""

    case: Case
    file: str
    options: str
    harm: Harm


def middle(size: int, fill: Callable[[int], bytes], share: float = 0.5) -> Harm:
    """Replace `size` bytes from the middle on, or from another share of the file on."""

    def harm(data: bytes) -> bytes:
        start = int(len(data) * share)
        return data[:start] + fill(size) + data[start + size :]

    return harm


def cut(share: float) -> Harm:
    return lambda data: data[: int(len(data) * share)]


class Damaged:
    """Makes the videos of samples in a folder, and damages them; each sound one is made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sound: dict[tuple[str, str], bytes] = {}

    def __call__(self, sample: Sample) -> Path:
        path, key = self._folder / sample.file, (sample.file, sample.options)
        if key not in self._sound:
            self._sound[key] = make(path, sample.options).read_bytes()
        path.write_bytes(sample.harm(self._sound[key]))
        return path


def named(samples: Sequence[Sample]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sample", samples, ids=lambda sample: sample.case.input)
