"""Several workers as one."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engines.catalog import ModelSpec
from engines.runner import Runner
from engines.worker.process import Worker


class Workers:
    """Opens each runner of a network in the worker that has the fewest of them."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._runners = Counter[tuple[int, str]]()

    def start(self, lost: Callable[[], None]) -> None:
        """Start all of them; see `Worker.start`."""
        for worker in self._workers:
            worker.start(lost)

    @contextmanager
    def open(self, plan: Path, spec: ModelSpec, more: bytes = b"") -> Iterator[Runner]:
        """Open a runner until the block ends; see `Worker.open`."""
        with self._lock:
            index = min(range(len(self._workers)), key=lambda i: self._runners[i, spec.task])
            self._runners[index, spec.task] += 1
        try:
            with self._workers[index].open(plan, spec, more) as runner:
                yield runner
        finally:
            with self._lock:
                self._runners[index, spec.task] -= 1

    def close(self) -> None:
        """End all of them, once their runners have been closed. Blocks."""
        for worker in self._workers:
            worker.close()
