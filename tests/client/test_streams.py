"""One request per image: how many at a time, leaving early, and files that cannot be read."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from emotions_client import (
    Client,
    Image,
    ImageResult,
    RefusedError,
    Retry,
)

from tests.client.fake import EMPTY, fake, fake_async, result


def test_a_stream_reads_at_most_concurrency_images_ahead() -> None:
    taken, most, running, lock = 0, 0, 0, threading.Lock()

    def images() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(50):
            taken += 1
            yield b"x"

    def slow(_request: httpx.Request) -> httpx.Response:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1
        return httpx.Response(200, json=EMPTY | {"images": [result("0")]})

    with fake(slow) as client:
        results = client.stream(images(), concurrency=4)
        next(results)
        assert taken == 4
        assert len(list(results)) == 49
        assert most <= 4


def test_a_closed_stream_sends_no_request_again() -> None:
    refused = threading.Event()

    def first_only(request: httpx.Request) -> httpx.Response:
        (image,) = msgspec.msgpack.decode(request.content)["images"]
        if image["id"] == "first":
            refused.wait()
            return httpx.Response(200, json=EMPTY | {"images": [result("first")]})
        refused.set()
        return httpx.Response(503, headers={"retry-after": "30"})

    with fake(first_only, Retry(longest_s=60)) as client:
        images = [Image(name, b"x") for name in ("first", "second", "third")]
        stream = client.stream(images, concurrency=2)
        assert next(stream).id == "first"
        began = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - began < 10


def test_an_async_stream_that_fails_cancels_the_pending_requests() -> None:
    async def leave() -> int:
        async with fake_async(
            lambda request: httpx.Response(200, json=EMPTY | {"images": [{}]})
        ) as client:
            stream: AsyncIterator[ImageResult] = client.stream([b"x"] * 10, concurrency=3)
            with pytest.raises(RefusedError):
                async for _ in stream:
                    pass
            return len(asyncio.all_tasks())

    assert asyncio.run(leave()) == 1


def echo(request: httpx.Request) -> httpx.Response:
    images = msgspec.msgpack.decode(request.content)["images"]
    return httpx.Response(200, json=EMPTY | {"images": [result(one["id"]) for one in images]})


def streamed(folder: Path) -> list[ImageResult]:
    """Stream a folder with both clients, which must give the same results."""
    with fake(echo) as client:
        found = list(client.stream_folder(folder))

    async def together() -> list[ImageResult]:
        async with fake_async(echo) as client:
            return [result async for result in client.stream_folder(folder)]

    assert asyncio.run(together()) == found
    return found


def test_file_names_that_are_not_utf_8_become_ids(tmp_path: Path) -> None:
    for name in (b"caf\xe9.jpg", "caf\u00e9.jpg".encode()):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    found = streamed(tmp_path)
    assert [Path(one.id).name for one in found] == ["caf\u00e9.jpg", "caf\\udce9.jpg"]
    assert not any(one.error for one in found)
    named = Image(os.fsdecode(b"\xe9"), b"x")
    with fake(echo) as client:
        assert client.analyze(named).images[0].id == "\\udce9"


def test_unreadable_files_and_folders_have_a_result_with_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests may run as root, which can read any folder.
    def guarded(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
        def refuse_b(path: Path) -> Any:
            if Path(path).name == "b":
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return read(path)

        return refuse_b

    (folder / "aa.jpg").symlink_to("aa.jpg")
    (folder / "z.jpg").write_bytes(b"x")
    monkeypatch.setattr(os, "scandir", guarded(os.scandir))
    monkeypatch.setattr(os, "listdir", guarded(os.listdir))
    found = streamed(folder)
    assert [Path(one.id).name for one in found] == ["a.jpg", "aa.jpg", "b", "z.jpg"]
    codes = [one.error and one.error.code for one in found]
    assert codes == [None, "unreadable_file", "unreadable_file", None]
    with Client("http://fake") as client, pytest.raises(PermissionError):
        next(client.stream_folder(folder / "b"))
