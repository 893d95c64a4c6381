"""Who is answered when: of each chat some at once, some wait for them, and more are refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyTurnsError(Exception):
    """The chat has as many waiting as may; `told` if its album was refused a picture before."""

    def __init__(self, told: bool) -> None:
        super().__init__("too many at once")
        self.told = told


class Turns:
    """The turns of all chats. Nothing is kept of a chat that has nobody under way."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once, self._most = at_once, at_once + waiting
        self._chats: dict[int, _Chat] = {}

    @asynccontextmanager
    async def turn(self, number: int, album: str | None = None) -> AsyncIterator[None]:
        """Wait for a turn of the chat `number`, and have it for the block.

        Raises:
            TooManyTurnsError: too many wait already.
        """
        chat = self._chats.setdefault(number, _Chat(self._at_once))
        if chat.under_way >= self._most:
            raise TooManyTurnsError(chat.told(album))
        chat.under_way += 1
        try:
            async with chat.places:
                yield
        finally:
            chat.under_way -= 1
            if not chat.under_way:
                del self._chats[number]


class _Chat:
    def __init__(self, at_once: int) -> None:
        self.under_way = 0
        self.places = asyncio.Semaphore(at_once)
        self._refused: set[str] = set()

    def told(self, album: str | None) -> bool:
        """Whether `album` was refused a picture before."""
        if album is None or album in self._refused:
            return album is not None
        self._refused.add(album)
        return False
