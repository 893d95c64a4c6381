"""The stage `decoding` of a GPU day, with nvImageCodec on the CPU."""

import pytest

from analysis.jpegs.nvimagecodec import installed
from bench.gpu import decoding
from bench.gpu.day import STAND_IN_DECODER, Day
from bench.gpu.decoder_alone import served
from bench.gpu.results import Figure, Parity, Problem
from bench.inputs.scenes import ONE_FACE

pytestmark = pytest.mark.skipif(not installed(), reason="nvImageCodec is for Linux")
DAY = Day(rehearsal=True, seconds=0.0, scenes=(ONE_FACE,), jpeg_decoder=STAND_IN_DECODER)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "ROUNDS", 1)
    monkeypatch.setattr(decoding, "BATCHES", (1, 4))
    monkeypatch.setattr(decoding, "LARGE", ONE_FACE)


def test_it_compares_pixels_and_measures_rates() -> None:
    found = list(decoding.decoding(DAY))
    assert not [each for each in found if isinstance(each, Problem)]
    (parity,) = (each for each in found if isinstance(each, Parity))
    assert parity.values["max"] <= 3
    figures = {each.name: each.values for each in found if isinstance(each, Figure)}
    assert figures[f"decoder, {ONE_FACE}, batch 4"]["images_per_s"] > 0
    assert figures[f"one CPU core, {ONE_FACE}"]["cpu_ms"] > 0


def test_a_decoder_that_cannot_be_used_is_a_problem() -> None:
    (found,) = decoding.decoding(Day(rehearsal=True, jpeg_decoder="nvimagecodec"))
    assert isinstance(found, Problem)


def test_the_table_of_a_worker() -> None:
    with served(STAND_IN_DECODER) as gpu:
        lines = list(decoding.worker_table(gpu, [ONE_FACE]))
        assert gpu.take_batches(), "the decoder was used"
    assert len(lines) == 3
    assert lines[-1].startswith(f"| {ONE_FACE} | 320x240 |")
