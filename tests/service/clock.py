"""A clock that stands still until a test moves it."""


class Clock:
    """A replacement for `time.monotonic`."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
