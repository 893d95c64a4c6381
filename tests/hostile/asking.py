"""The type of the fixture `fake_ask`."""

from collections.abc import Callable

from bench.fakes.asgi import Reply

Ask = Callable[..., Reply]
