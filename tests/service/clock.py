"""A clock that stands still until a test moves it."""


class Clock:
    """Give it where `time.monotonic` is called."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
