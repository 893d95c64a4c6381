"""One thread of a device process: it decodes the JPEGs of all workers and sends the pixels."""

import logging
import os
import threading
import time

from analysis.jpegs.reopening import ReopeningDecoder
from analysis.jpegs.select import load_decoder
from analysis.jpegs.types import BatchDecoder
from analysis.timing import Batch
from analysis.workers.batcher import Batcher
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.remote import JPEGS, Reply
from engines.errors import EngineError

log = logging.getLogger("emotions.device")
# Pixels of one batch without its last image. They take three bytes each on the GPU, and about three
# more while they are decoded.
BATCH_PIXELS = 32_000_000


class DecoderThread:
    """Owns a decoder; `ready` is set when it has decoded a first image, or finds no memory yet.

    If it fails or declines, the workers decode the images.
    """

    def __init__(self, name: str, batcher: Batcher) -> None:
        self.ready = threading.Event()
        self._name, self._batcher = name, batcher

    def start(self, heartbeats: Heartbeats, number: int) -> None:
        """Start the thread, which opens the decoder and records heartbeats as thread `number`."""
        self._heartbeats, self._number = heartbeats, number
        threading.Thread(target=self._work, daemon=True, name=JPEGS).start()

    def _work(self) -> None:
        """Open the decoder and decode batches; if it cannot be opened, the process ends."""
        try:
            decoder = ReopeningDecoder(self._open)
            self.ready.set()
            while True:
                self._serve(decoder)
        except EngineError as error:
            log.error("the JPEG decoder %s cannot be used: %s", self._name, error)
        except BaseException:
            log.exception("the JPEG decoder %s cannot be used", self._name)
        os._exit(1)

    def _open(self) -> BatchDecoder:
        with self._heartbeats.opening(self._number):
            return load_decoder(self._name)

    def _serve(self, decoder: BatchDecoder) -> None:
        self._heartbeats.rest(self._number)
        requests = self._batcher.take()
        self._heartbeats.beat(self._number)
        started = time.monotonic()
        decoded = decoder.decode([request.rows[0] for request in requests])
        self._batcher.done()
        ended, images = time.monotonic(), sum(pixels is not None for pixels in decoded)
        for request, pixels in zip(requests, decoded, strict=True):
            if pixels is None:
                request.reply(Reply(error="declined"))
                continue
            batch = Batch(JPEGS, images, request.queued, started, ended)
            images = 0  # reported to only one of the workers
            request.reply(Reply(batch), {"pixels": pixels})
