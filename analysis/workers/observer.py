"""Observers of a pool: metrics and tracing."""

import logging
from collections.abc import Callable, Sequence
from typing import Literal

from analysis.timing import Batch

log = logging.getLogger("emotions.pool")


class Observer:
    """Receives the events of a pool; this one ignores them. Called in the pool's event loop."""

    def batches_ran(self, batches: Sequence[Batch], owners: Sequence[object]) -> None:
        """Networks ran these batches for the images of these owners."""

    def worker_answered(self, seconds: float) -> None:
        """A worker answered; it was busy for `seconds` since it was sent its images."""

    def networks_failed(self, count: int) -> None:
        """This many networks failed and were opened again."""

    def process_restarted(self, reason: str) -> None:
        """A process died or hung (see `process.REASONS`) and is replaced."""

    def images_dropped(self, reason: Literal["late", "gone"], count: int) -> None:
        """Images left the queue because they were late, or because their client was gone."""


class Observers:
    """Several observers. An error in one of them is logged and stops nothing."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def notify(self, call: Callable[[Observer], None]) -> None:
        """Make a call to each observer."""
        for observer in self._observers:
            try:
                call(observer)
            except Exception:
                log.exception("an observer failed")
