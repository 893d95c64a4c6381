"""The quota of a chat: some photographs at once, some waiting, the rest rejected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QuotaExceededError(Exception):
    """The chat has too many photographs waiting.

    `first_of_album` is false if a photograph of the same album was rejected before.
    """

    def __init__(self, first_of_album: bool) -> None:
        super().__init__("the chat has too many photographs waiting")
        self.first_of_album = first_of_album


class ChatQuota:
    """Admits photographs by chat. `len` is the number of chats with photographs under way."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once, self._limit = at_once, at_once + waiting
        self._chats: dict[int, _Chat] = {}

    def __len__(self) -> int:
        return len(self._chats)

    @asynccontextmanager
    async def slot(self, chat_id: int, album: str | None = None) -> AsyncIterator[None]:
        """Wait for one of the chat's slots, and hold it for the block.

        Raises:
            QuotaExceededError: too many photographs of the chat wait already.
        """
        chat = self._chats.setdefault(chat_id, _Chat(self._at_once))
        if chat.admitted >= self._limit:
            raise QuotaExceededError(chat.reject(album))
        chat.admitted += 1
        try:
            async with chat.slots:
                yield
        finally:
            chat.admitted -= 1
            if not chat.admitted:
                del self._chats[chat_id]


class _Chat:
    def __init__(self, at_once: int) -> None:
        self.admitted = 0
        self.slots = asyncio.Semaphore(at_once)
        self._rejected_albums: set[str] = set()

    def reject(self, album: str | None) -> bool:
        """Remember the album; return whether this is its first rejected photograph."""
        if album is None:
            return True
        first = album not in self._rejected_albums
        self._rejected_albums.add(album)
        return first
