"""Of each chat some at once, some wait, more are refused, and an album is told once."""

import asyncio

import pytest

from offline.bot.turns import TooManyTurnsError, Turns


async def held(turns: Turns, chat: int, go: asyncio.Event) -> None:
    async with turns.turn(chat):
        await go.wait()


async def refused(turns: Turns, chat: int, album: str | None) -> bool:
    """Whether a refusal came after another of its album."""
    with pytest.raises(TooManyTurnsError) as error:
        async with turns.turn(chat, album):
            pass
    return error.value.told


async def test_some_at_once_some_wait_and_more_are_refused_per_chat() -> None:
    turns, go, most = Turns(at_once=2, waiting=3), asyncio.Event(), 0
    running = 0

    async def one() -> None:
        nonlocal most, running
        async with turns.turn(1):
            running += 1
            most = max(most, running)
            await go.wait()
            running -= 1

    tasks = [asyncio.create_task(one()) for _ in range(5)]
    await asyncio.sleep(0)
    assert running == 2
    assert not await refused(turns, 1, None)
    async with turns.turn(2):
        pass
    go.set()
    await asyncio.gather(*tasks)
    assert most == 2
    async with turns.turn(1):
        pass
    assert not turns._chats


async def test_an_album_is_told_once() -> None:
    turns, go = Turns(at_once=1, waiting=0), asyncio.Event()
    task = asyncio.create_task(held(turns, 1, go))
    await asyncio.sleep(0)
    albums = ["a", "a", "b", None, None, "a"]
    told = [await refused(turns, 1, album) for album in albums]
    assert told == [False, True, False, False, False, True]
    go.set()
    await task


async def test_who_leaves_while_waiting_gives_the_turn_back() -> None:
    turns, go = Turns(at_once=1, waiting=1), asyncio.Event()
    first, second = (asyncio.create_task(held(turns, 1, go)) for _ in range(2))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    third = asyncio.create_task(held(turns, 1, go))
    go.set()
    await asyncio.gather(first, third)
