"""Networks that few images need."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property

from engines.types import Array, Feeds, Runner


class OnDemandRunner(Runner):
    """Opens a plan at its first batch, so that a plan without images takes no memory."""

    def __init__(self, opened: Callable[[], Runner]) -> None:
        self._open, self._stack = opened, ExitStack()

    @cached_property
    def _runner(self) -> Runner:
        return self._stack.enter_context(self._open())

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`.

        Raises:
            EngineError: the plan cannot be loaded, or the engine failed.
        """
        return self._runner.infer(feeds)

    def __exit__(self, *error: object) -> None:
        self._stack.close()
