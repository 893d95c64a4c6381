"""The thread of a JPEG decoder: opening the decoder has the time of opening a network."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from analysis.workers import heartbeats
from analysis.workers.batcher import Batcher
from analysis.workers.channel import supported
from analysis.workers.decoder_thread import DecoderThread
from analysis.workers.heartbeats import OPEN_LIMIT_S, Heartbeats
from engines.types import U8
from tests.engines.faulty import BLOCKED
from tests.waiting import until

pytestmark = pytest.mark.skipif(not supported(), reason="there are devices on Linux only")


class Blocked:
    """A decoder that opens when a file is gone."""

    def __init__(self, folder: str) -> None:
        while (Path(folder) / BLOCKED).exists():
            time.sleep(0.001)

    def decode(self, images: Sequence[U8]) -> list[U8 | None]:
        return [np.zeros((1, 1, 3), np.uint8) for _ in images]


def test_a_decoder_that_opens_has_as_much_time_as_a_network(tmp_path: Path) -> None:
    (tmp_path / BLOCKED).touch()
    memory = heartbeats.allocate()
    beats = Heartbeats(memory)
    os.close(memory)
    thread = DecoderThread(f"{__name__}:Blocked:{tmp_path}", Batcher(1, threading.Semaphore(1)))
    before = time.monotonic()
    thread.start(beats, 1)
    until(lambda: beats.oldest() < float("inf"))
    assert beats.oldest() >= before + OPEN_LIMIT_S
    (tmp_path / BLOCKED).unlink()
    until(lambda: beats.oldest() == float("inf"))
