"""Waits for what another thread or process does."""

import time
from collections.abc import Callable

# On a machine that does much else at the same time.
PATIENCE_S = 60.0


def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds` is true."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
