"""The quota of a chat: some photographs at once, some wait, the rest are rejected."""

import asyncio

import pytest

from offline.bot.quota import ChatQuota, QuotaExceededError


async def hold(quota: ChatQuota, chat: int, release: asyncio.Event) -> None:
    async with quota.slot(chat):
        await release.wait()


async def rejected(quota: ChatQuota, chat: int, album: str | None) -> bool:
    """Whether the rejection is the first of its album."""
    with pytest.raises(QuotaExceededError) as error:
        async with quota.slot(chat, album):
            pass
    return error.value.first_of_album


async def test_a_chat_has_slots_and_a_queue_of_its_own() -> None:
    quota, release, most = ChatQuota(at_once=2, waiting=3), asyncio.Event(), 0
    running = 0

    async def photograph() -> None:
        nonlocal most, running
        async with quota.slot(1):
            running += 1
            most = max(most, running)
            await release.wait()
            running -= 1

    tasks = [asyncio.create_task(photograph()) for _ in range(5)]
    await asyncio.sleep(0)
    assert running == 2
    assert await rejected(quota, 1, None)
    async with quota.slot(2):
        assert len(quota) == 2
    release.set()
    await asyncio.gather(*tasks)
    assert most == 2
    assert len(quota) == 0  # no memory is kept of a chat without photographs
    async with quota.slot(1):
        assert len(quota) == 1


async def test_an_album_is_rejected_with_one_message() -> None:
    quota, release = ChatQuota(at_once=1, waiting=0), asyncio.Event()
    task = asyncio.create_task(hold(quota, 1, release))
    await asyncio.sleep(0)
    albums = ["a", "a", "b", None, None, "a"]
    first = [await rejected(quota, 1, album) for album in albums]
    assert first == [True, False, True, True, True, False]
    release.set()
    await task


async def test_a_photograph_that_is_cancelled_while_waiting_frees_its_place() -> None:
    quota, release = ChatQuota(at_once=1, waiting=1), asyncio.Event()
    first, second = (asyncio.create_task(hold(quota, 1, release)) for _ in range(2))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    third = asyncio.create_task(hold(quota, 1, release))
    release.set()
    await asyncio.gather(first, third)
