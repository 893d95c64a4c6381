"""Opens the runners of a device process together: none takes the memory that another needs."""

import threading


class Opening:
    """Lets the threads of a device process open their runners, and try again with smaller batches.

    A runner takes the memory that its largest batches need. Alone, the first runners would leave
    none to the others, and the process could never serve all networks.
    """

    def __init__(self, runners: int) -> None:
        self._lock = threading.Lock()
        self._tried = threading.Barrier(runners, self._decide)
        self._closed = threading.Barrier(runners)
        self._refused = self._reducible = self._again = False

    def again(self, *, opened: bool, reducible: bool) -> bool:
        """Wait until all have tried; return whether all must close their runners and try again.

        `opened`: this thread has a runner; `reducible`: it can leave out a batch size.
        """
        with self._lock:
            self._refused |= not opened
            self._reducible |= reducible
        self._tried.wait()
        return self._again

    def wait_until_closed(self) -> None:
        """Wait until all runners are closed, which frees their memory."""
        self._closed.wait()

    def _decide(self) -> None:
        """Called by the last thread, before any continues."""
        self._again = self._refused and self._reducible
        self._refused = self._reducible = False
