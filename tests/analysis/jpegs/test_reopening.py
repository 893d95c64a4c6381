"""A decoder whose GPU fails is opened again, and costs no image meanwhile."""

from collections.abc import Sequence

import numpy as np
import pytest

from analysis.jpegs.reopening import PAUSE_S, ReopeningDecoder
from engines.errors import GpuMemoryError, GpuMissingError
from engines.types import U8

GOOD, ODD = np.zeros(900, np.uint8), np.zeros(1, np.uint8)
PIXELS = np.zeros((2, 2, 3), np.uint8)


class Gpu:
    """A GPU in several states; its decoder works in the first only."""

    def __init__(self) -> None:
        self.state, self.opened, self.now = "works", 0, 0.0

    def open(self) -> "Gpu":
        if self.state == "is missing":
            raise GpuMissingError("no GPU")
        if self.state == "lacks pinned memory":
            raise MemoryError("no memory")
        if self.state != "works":
            raise GpuMemoryError("no memory")
        self.opened += 1
        return self

    def decode(self, images: Sequence[U8]) -> list[U8 | None]:
        if self.state == "fails":
            raise RuntimeError("an illegal memory access")
        if self.state == "declines":
            return [None] * len(images)
        if self.state == "forgets images":
            return [PIXELS] * (len(images) - 1)
        if any(len(each) == 2 for each in images):
            raise MemoryError("no memory for this batch")
        return [None if len(each) == 1 else PIXELS for each in images]


@pytest.fixture
def gpu() -> Gpu:
    return Gpu()


def number_decoded(decoder: ReopeningDecoder, *images: U8) -> int:
    return sum(pixels is not None for pixels in decoder.decode(images))


@pytest.mark.parametrize("state", ["fails", "declines", "forgets images"])
def test_it_is_opened_again_after_a_pause(gpu: Gpu, state: str) -> None:
    decoder = ReopeningDecoder(gpu.open, lambda: gpu.now)
    gpu.state = state
    assert number_decoded(decoder, GOOD) == 0
    gpu.state = "works"
    gpu.now = PAUSE_S - 1
    assert number_decoded(decoder, GOOD) == 0
    assert gpu.opened == 1
    gpu.now = PAUSE_S
    assert number_decoded(decoder, GOOD, GOOD) == 2
    assert gpu.opened == 2


def test_it_waits_after_each_attempt(gpu: Gpu, caplog: pytest.LogCaptureFixture) -> None:
    decoder = ReopeningDecoder(gpu.open, lambda: gpu.now)
    gpu.state = "fails"
    for gpu.now in np.arange(0, 4 * PAUSE_S, PAUSE_S / 10).tolist():
        assert number_decoded(decoder, GOOD) == 0
    assert caplog.text.count("cannot be opened; workers decode meanwhile: no memory") == 3
    gpu.state, gpu.now = "works", 4 * PAUSE_S
    assert number_decoded(decoder, GOOD) == 1


def test_odd_images_do_not_close_it(gpu: Gpu) -> None:
    decoder = ReopeningDecoder(gpu.open, lambda: gpu.now)
    assert number_decoded(decoder, ODD) == 0
    assert number_decoded(decoder, ODD, GOOD) == 1
    assert gpu.opened == 1


def test_a_batch_without_memory_is_logged_once(gpu: Gpu, caplog: pytest.LogCaptureFixture) -> None:
    decoder, large = ReopeningDecoder(gpu.open, lambda: gpu.now), np.zeros(2, np.uint8)
    assert [number_decoded(decoder, large) for _ in range(9)] == [0] * 9
    assert caplog.text.count("no memory for this batch") == 1
    assert number_decoded(decoder, GOOD) == 1
    assert gpu.opened == 1


@pytest.mark.parametrize("state", ["lacks memory", "lacks pinned memory"])
def test_without_memory_at_first_it_is_opened_later(
    gpu: Gpu, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    gpu.state = state
    decoder = ReopeningDecoder(gpu.open, lambda: gpu.now)
    assert "workers decode meanwhile: no memory" in caplog.text
    assert number_decoded(decoder, GOOD) == 0
    gpu.state, gpu.now = "works", PAUSE_S
    assert number_decoded(decoder, GOOD) == 1


def test_another_error_at_first_is_raised(gpu: Gpu) -> None:
    gpu.state = "is missing"
    with pytest.raises(GpuMissingError):
        ReopeningDecoder(gpu.open)
