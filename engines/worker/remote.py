"""A runner whose work is done in the worker."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from engines.errors import RunnerError, RunnerInterrupted
from engines.runner import Array, Feeds, Runner
from engines.worker.channel import Channel

# Loading a plan may compile it for the GPU, and the first batch may finish that.
OPEN_LIMIT_S = 300.0
# A batch may take this many times what its items should.
SLACK = 4
# Makes the error of a worker that is gone, or that took too long and is gone now.
Gone = Callable[[bool], RunnerError]


class RemoteRunner(Runner):
    """A `Runner` at the other end of a channel.

    Whatever the worker does, a call returns or raises within `limit_s`, or longer only where the
    first batch, which is to be of one item, has shown that its items take long.
    """

    def __init__(self, channel: Channel, gone: Gone, limit_s: float) -> None:
        self._channel, self._gone, self._limit_s = channel, gone, limit_s
        self._item_s: float | None = None

    def await_open(self) -> None:
        """Wait until the worker has loaded the plan.

        Raises:
            EngineError: it could not.
            RunnerError: see `infer`.
        """
        self._receive(OPEN_LIMIT_S)

    def stage(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """See `engines.runner.Staging`."""
        return self._channel.stage(shape, dtype)

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`.

        Raises:
            RunnerError: the engine failed; `RunnerLost`, `RunnerHung`, `RunnerInterrupted` when
                the worker is gone.
        """
        try:
            self._channel.send(feeds)
        except ConnectionError as error:
            self._gone(False)
            raise RunnerInterrupted("the worker ended before this batch began") from error
        rows, started = len(next(iter(feeds.values()))), time.monotonic()
        outputs = self._receive(self._patience(rows))
        if self._item_s is None:
            self._item_s = (time.monotonic() - started) / rows
        return {name: array.copy() for name, array in outputs.items()}

    def _patience(self, rows: int) -> float:
        """The longest time that a batch may take, in seconds."""
        if self._item_s is None:
            return OPEN_LIMIT_S
        return max(self._limit_s, SLACK * rows * self._item_s)

    def _receive(self, seconds: float) -> dict[str, Array]:
        try:
            return self._channel.receive(seconds)
        except TimeoutError as error:
            raise self._gone(True) from error
        except (EOFError, OSError) as error:
            raise self._gone(False) from error

    def __exit__(self, *error: object) -> None:
        try:
            self._channel.hang_up(self._limit_s)
        except TimeoutError:
            self._gone(True)
            self._channel.close()
