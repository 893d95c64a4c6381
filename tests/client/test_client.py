"""The client against a real server, and against a fake one that refuses first."""

import asyncio
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from emotions_client import (
    Answer,
    AsyncClient,
    Client,
    Image,
    ImageResult,
    RefusedError,
    Retry,
    UnreachableError,
    Url,
)
from emotions_client.lines import Lines
from emotions_client.wire import Options
from hypothesis import example, given
from hypothesis import strategies as st

from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_FILE, iou
from tests.server import Server, serving

CLIENT = Path(__file__).parents[2] / "client"
ONCE = Retry(attempts=1)
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    shutil.copy(ASTRONAUT_FILE, tmp_path / "b" / "astronaut.png")
    shutil.copy(HOPPER_FILE, tmp_path / "b" / "hopper.jpg")
    (tmp_path / "a.jpg").write_bytes(HOPPER_FILE.read_bytes()[:5000])
    (tmp_path / "c.txt").write_text("no image")
    return tmp_path


def test_paths_bytes_and_named_images_in_one_request(server: Server) -> None:
    data = ASTRONAUT_FILE.read_bytes()
    with Client(server.url) as client:
        answer = client.analyze(ASTRONAUT_FILE, data, Image("mine", data), b"text")
        tasks = {"detector", "landmarks", "emotion", "embedder"}
        assert {model.task for model in client.models()} == tasks
    assert answer.model.landmarks == "landmarks-64"
    assert [image.id for image in answer.images] == [str(ASTRONAUT_FILE), "1", "mine", "3"]
    (face,) = answer.images[0].faces
    assert iou(list(face.box), ASTRONAUT_BOX) > 0.6
    assert face.emotion == max(face.scores, key=face.scores.__getitem__)
    assert len(face.landmarks) == 5
    assert answer.images[1].faces == answer.images[2].faces == (face,)
    assert answer.images[3].error is not None
    assert answer.images[3].error.code == "unsupported_media"


def test_options_and_refusals(server: Server) -> None:
    with Client(server.url) as client:
        answer = client.analyze(ASTRONAUT_FILE, labels=["happy", "sad"], max_faces=1, min_score=0.4)
        assert list(answer.images[0].faces[0].scores) == ["happy", "sad"]
        with pytest.raises(RefusedError, match="labels") as refused:
            client.analyze(ASTRONAUT_FILE, labels=["glad"])
        embedded = client.analyze(ASTRONAUT_FILE, embeddings=True)
        with pytest.raises(FileNotFoundError):
            client.analyze(Path("nothing.jpg"))
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")
    assert len(refused.value.request_id) == 32
    assert embedded.model.embedder == "arcface-mobilefacenet"
    assert len(embedded.images[0].faces[0].embedding or ()) == 128


def test_a_folder_streams_in_order_sync_and_async(server: Server, folder: Path) -> None:
    with Client(server.url) as client:
        found = list(client.stream_folder(folder, concurrency=2))

    async def together() -> list[ImageResult]:
        async with AsyncClient(server.url) as client:
            return [result async for result in client.stream_folder(folder, concurrency=2)]

    assert [Path(result.id).name for result in found] == ["a.jpg", "astronaut.png", "hopper.jpg"]
    assert found[0].error is not None
    assert found[0].error.code == "corrupt_image"
    assert [len(result.faces) for result in found] == [0, 1, 1]
    assert asyncio.run(together()) == found


def test_a_key_is_shown(plans: Path) -> None:
    with serving(plans, api_keys="sesame") as server:
        with Client(server.url) as client, pytest.raises(RefusedError, match="401 unauthorized"):
            list(client.stream([ASTRONAUT_FILE]))
        with Client(server.url, key="sesame") as client:
            assert len(client.analyze(ASTRONAUT_FILE).images[0].faces) == 1


def test_an_overloaded_service_is_asked_again_until_all_is_done(plans: Path) -> None:
    with serving(plans, max_queue="1") as server:
        with Client(server.url, retry=Retry(attempts=50, first_s=0.05)) as client:
            found = list(client.stream([ASTRONAUT_FILE] * 12, concurrency=12))
        refused = httpx.get(f"{server.url}/metrics").text
    assert [len(result.faces) for result in found] == [1] * 12
    assert 'status="503"' in refused


def fake(client: Client | AsyncClient, handler: Handler) -> None:
    transport = httpx.MockTransport(handler)
    if isinstance(client, Client):
        client._http = httpx.Client(transport=transport, base_url="http://fake")
    else:
        client._http = httpx.AsyncClient(transport=transport, base_url="http://fake")


EMPTY = {"model": {"detector": "d", "emotion": "e", "embedder": None, "backend": "b"}, "images": []}


def result(name: str) -> dict[str, object]:
    return {"id": name, "width": 1, "height": 1, "faces": []}


class Flaky:
    """Refuses three times in three ways, then answers; notes when it was asked."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.times.append(time.monotonic())
        match len(self.times):
            case 1:
                raise httpx.ConnectError("refused")
            case 2:
                return httpx.Response(503, headers={"retry-after": "1"})
            case 3:
                return httpx.Response(502, text="<html>")
        return httpx.Response(200, json=EMPTY)


def test_pauses_honour_retry_after_sync_and_async() -> None:
    retry = Retry(first_s=0.01)
    blocking, awaited = Flaky(), Flaky()
    with Client("http://fake", retry=retry) as client:
        fake(client, blocking)
        assert client.analyze(b"").images == ()

    async def ask() -> Answer:
        async with AsyncClient("http://fake", retry=retry) as client:
            fake(client, awaited)
            return await client.analyze(b"")

    assert asyncio.run(ask()).images == ()
    for flaky in (blocking, awaited):
        assert len(flaky.times) == 4
        assert 1.0 <= flaky.times[2] - flaky.times[1] < 1.5
        assert flaky.times[1] - flaky.times[0] < 0.5


def test_pauses_grow_differ_and_end() -> None:
    retry = Retry(attempts=9, first_s=0.5, longest_s=4)
    busy, dated = httpx.Response(503), httpx.Response(503, headers={"retry-after": "yesterday"})
    pauses = [retry.pause(4, busy) or 0 for _ in range(200)]
    assert 3 < max(pauses) <= 4
    assert min(pauses) < 1
    assert (retry.pause(0, dated) or 0) <= 0.5
    assert (Retry(attempts=5000).pause(4000, busy) or 0) <= 20
    assert retry.pause(8, busy) is None
    assert retry.pause(0, httpx.Response(400)) is None
    assert retry.pause(0, httpx.UnsupportedProtocol("ftp")) is None


# Seconds, dates near and far, and what is neither.
MONTHS = ("Jan", "Feb", "Jul", "Dec")
AFTERS = st.one_of(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    st.integers(min_value=0, max_value=10**400).map(str),
    st.builds(
        "Wed, {} {} {} 07:28:00 {}".format,
        st.integers(0, 10**30),
        st.sampled_from(MONTHS),
        st.one_of(st.integers(0, 9999), st.integers(0, 10**30)),
        st.sampled_from(["GMT", "-0000", "+2400", "-9999999999"]),
    ),
)


@given(after=AFTERS, attempt=st.integers(0, 7))
@example("86400", 0)
@example("Fri, 31 Dec 9999 23:59:59 GMT", 0)
@example("Wed, 99999999999999999999 Oct 2099 07:28:00 GMT", 0)
def test_no_pause_is_longer_than_it_may_be(after: str, attempt: int) -> None:
    busy = httpx.Response(429, headers={"retry-after": after})
    pause = Retry(attempts=9, first_s=0.5, longest_s=4).pause(attempt, busy)
    assert pause is None or 0 <= pause <= 4


def test_who_is_to_come_back_much_later_is_told_at_once() -> None:
    asked: list[httpx.Request] = []

    def tomorrow(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        problem = {"status": 429, "code": "too_many", "detail": "tomorrow", "request_id": "r"}
        return httpx.Response(429, headers={"retry-after": "86400"}, json=problem)

    with Client("http://fake") as client:
        fake(client, tomorrow)
        with pytest.raises(RefusedError, match="429 too_many: tomorrow"):
            client.analyze(b"")
    assert len(asked) == 1
    assert Retry(longest_s=100_000).pause(0, tomorrow(asked[0])) is not None


def test_nobody_there_and_somebody_else_there() -> None:
    with Client("http://127.0.0.1:9", retry=ONCE) as client, pytest.raises(UnreachableError):
        client.analyze(b"")
    with Client("http://fake", retry=ONCE) as client:
        fake(client, lambda request: httpx.Response(200, text="<html>"))
        with pytest.raises(RefusedError, match="not an answer of the service"):
            client.analyze(b"")


def test_a_stream_reads_no_further_ahead_than_it_may() -> None:
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

    with Client("http://fake") as client:
        fake(client, slow)
        results = client.stream(images(), concurrency=4)
        next(results)
        assert taken == 4
        assert len(list(results)) == 49
        assert most <= 4


def test_a_stream_that_is_left_waits_for_no_further_attempt() -> None:
    refused = threading.Event()

    def first_only(request: httpx.Request) -> httpx.Response:
        (image,) = msgspec.msgpack.decode(request.content)["images"]
        if image["id"] == "first":
            refused.wait()
            return httpx.Response(200, json=EMPTY | {"images": [result("first")]})
        refused.set()
        return httpx.Response(503, headers={"retry-after": "30"})

    with Client("http://fake", retry=Retry(longest_s=60)) as client:
        fake(client, first_only)
        images = [Image(name, b"x") for name in ("first", "second", "third")]
        stream = client.stream(images, concurrency=2)
        assert next(stream).id == "first"
        began = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert time.monotonic() - began < 10


def test_an_async_stream_that_is_left_cancels_what_is_under_way() -> None:
    async def leave() -> int:
        async with AsyncClient("http://fake") as client:
            fake(client, lambda request: httpx.Response(200, json=EMPTY | {"images": [{}]}))
            stream: AsyncIterator[ImageResult] = client.stream([b"x"] * 10, concurrency=3)
            with pytest.raises(RefusedError):
                async for _ in stream:
                    pass
            return len(asyncio.all_tasks())

    assert asyncio.run(leave()) == 1


def test_each_result_of_one_request_sync_and_async(server: Server, folder: Path) -> None:
    images: list[Path | bytes] = [*sorted(folder.rglob("*.*")), ASTRONAUT_FILE.read_bytes()]
    with Client(server.url, retry=ONCE) as client:
        whole = client.analyze(*images)
        found = list(client.analyze_each(*images))
        with pytest.raises(RefusedError, match="422 corrupt_image"):
            list(client.analyze_each(folder / "a.jpg"))
        with pytest.raises(RefusedError, match="url_refused"):
            list(client.analyze_each(Url("a", "https://example.com/a.jpg")))

    async def together() -> list[ImageResult]:
        async with AsyncClient(server.url, retry=ONCE) as client:
            return [result async for result in client.analyze_each(*images)]

    assert tuple(found) == whole.images
    assert asyncio.run(together()) == found


class Torn:
    """Answers as lines, but each answer ends early in another way; notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["accept"] == "application/jsonl"
        names = [image["id"] for image in msgspec.msgpack.decode(request.content)["images"]]
        self.asked.append(names)
        problem = {"status": 503, "code": "overloaded", "detail": "full", "request_id": "r"}
        lines: list[object] = [{"model": EMPTY["model"]}]
        lines += [result(name) for name in names[:1]]
        match len(self.asked):
            case 1:
                return httpx.Response(503)
            case 2:
                pass
            case 3:
                lines.append({"end": {"images": 1, "problem": problem}})
            case _:
                return httpx.Response(422, json=problem | {"code": "corrupt_image"})
        return httpx.Response(200, text="".join(json.dumps(line) + "\n" for line in lines))


def test_only_what_is_left_is_asked_for_again() -> None:
    retry = Retry(first_s=0.01)
    blocking, awaited = Torn(), Torn()
    images = [Image(name, b"x") for name in "abc"]
    with Client("http://fake", retry=retry) as client:
        fake(client, blocking)
        found = list(client.analyze_each(*images))

    async def ask() -> list[ImageResult]:
        async with AsyncClient("http://fake", retry=retry) as client:
            fake(client, awaited)
            return [result async for result in client.analyze_each(*images)]

    assert asyncio.run(ask()) == found
    assert [result.id for result in found] == ["a", "b", "c"]
    assert [result.error and result.error.code for result in found] == [None, None, "corrupt_image"]
    for torn in (blocking, awaited):
        assert torn.asked == [["a", "b", "c"], ["a", "b", "c"], ["b", "c"], ["c"]]


@given(
    names=st.lists(st.text(), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 40), max_size=9),
)
@example(["\u2028", "\u2029\u0085"], [])
def test_lines_end_where_the_service_ends_them(names: list[str], cuts: list[int]) -> None:
    lines = Lines([Image(name, b"") for name in names], Options())
    told = [{"model": EMPTY["model"]}, *map(result, names), {"end": {"images": len(names)}}]
    answer = b"".join(msgspec.json.encode(line) + b"\n" for line in told)
    places = [0, *accumulate(cuts), len(answer)]
    pieces = [answer[start:end] for start, end in pairwise(places)]
    found = [came.id for piece in pieces for came in lines.results(piece)]
    assert found == names
    assert lines.outcome(httpx.Response(200)) is None


def test_names_that_hold_ends_of_lines_come_back_sync_and_async() -> None:
    names = ["a\u2028b", "c\u2029d\u0085e"]
    told = [{"model": EMPTY["model"]}, *map(result, names), {"end": {"images": 2}}]
    answer = "\n".join(json.dumps(line, ensure_ascii=False) for line in told)
    images = [Image(name, b"x") for name in names]
    with Client("http://fake", retry=ONCE) as client:
        fake(client, lambda request: httpx.Response(200, text=answer))
        found = list(client.analyze_each(*images))

    async def ask() -> list[ImageResult]:
        async with AsyncClient("http://fake", retry=ONCE) as client:
            fake(client, lambda request: httpx.Response(200, text=answer))
            return [result async for result in client.analyze_each(*images)]

    assert [result.id for result in found] == names
    assert asyncio.run(ask()) == found


@pytest.mark.parametrize("page", [b"<html>", b"<html>\n", b'{"id": "\xff"}\n', b'{"id": "\xff"}'])
def test_what_is_no_line_of_the_service_is_refused(page: bytes) -> None:
    with Client("http://fake", retry=ONCE) as client:
        fake(client, lambda request: httpx.Response(200, content=page))
        with pytest.raises(RefusedError, match="200 not_the_service"):
            list(client.analyze_each(b"x"))
        with pytest.raises(RefusedError, match="200 not_the_service"):
            client.analyze(b"x")


def echo(request: httpx.Request) -> httpx.Response:
    images = msgspec.msgpack.decode(request.content)["images"]
    return httpx.Response(200, json=EMPTY | {"images": [result(one["id"]) for one in images]})


def streamed(folder: Path) -> list[ImageResult]:
    """What a stream of a folder gives, the same from both clients."""
    with Client("http://fake") as client:
        fake(client, echo)
        found = list(client.stream_folder(folder))

    async def together() -> list[ImageResult]:
        async with AsyncClient("http://fake") as client:
            fake(client, echo)
            return [result async for result in client.stream_folder(folder)]

    assert asyncio.run(together()) == found
    return found


def test_names_that_are_no_text_are_ids_all_the_same(tmp_path: Path) -> None:
    for name in (b"caf\xe9.jpg", "caf\u00e9.jpg".encode()):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    found = streamed(tmp_path)
    assert [Path(one.id).name for one in found] == ["caf\u00e9.jpg", "caf\\udce9.jpg"]
    assert not any(one.error for one in found)
    named = Image(os.fsdecode(b"\xe9"), b"x")
    with Client("http://fake") as client:
        fake(client, echo)
        assert client.analyze(named).images[0].id == "\\udce9"


def test_what_cannot_be_read_below_a_folder_is_told_and_the_rest_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root, who may run the tests, can read any folder.
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


def run(*arguments: str | Path) -> str:
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stdout


def test_the_examples_run(server: Server, folder: Path) -> None:
    one = run(CLIENT / "examples" / "one.py", server.url, ASTRONAUT_FILE)
    assert one.split()[1].endswith("%")
    counted = run(CLIENT / "examples" / "folder.py", server.url, folder)
    assert sum(int(line.split()[1]) for line in counted.splitlines()) == 2


def test_it_needs_nothing_of_the_service() -> None:
    loaded = run("-c", "import sys, emotions_client; print(*sys.modules)").split()
    assert not {"numpy", "fastapi", "pydantic", "service", "engines", "PIL"} & {*loaded}
