"""Progress of a build, and how Ctrl-C or an error stops it."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from engines.backends.tensorrt.library import Library, subclass
from engines.types import Report


class Monitor:
    """Reports steps, and stops the build at the next one once `stopped` is set."""

    def __init__(self, report: Report) -> None:
        super().__init__()  # the library's class, the other base of `monitor`
        self._report = report
        self._steps: dict[str, int] = {}
        self.stopped: BaseException | None = None

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
        self._steps[phase_name] = num_steps
        self._call(phase_name, 0)

    def step_complete(self, phase_name: str, step: int) -> bool:
        self._call(phase_name, step + 1)
        return self.stopped is None

    def phase_finish(self, phase_name: str) -> None:
        self._call(phase_name, self._steps[phase_name])

    def _call(self, phase: str, step: int) -> None:
        try:
            self._report(phase, step, self._steps[phase])
        except BaseException as error:  # must not cross the builder's C++; the build raises it
            self.stopped = error


def monitor(library: Library, report: Report) -> Any:
    """A `Monitor` that is also the library's `IProgressMonitor`."""
    return subclass(Monitor, library.IProgressMonitor)(report)


@contextlib.contextmanager
def stopped_by_ctrl_c(progress: Monitor) -> Iterator[None]:
    """Let Ctrl-C stop the build at its next step; the builder can lose a KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        progress.stopped = KeyboardInterrupt()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
