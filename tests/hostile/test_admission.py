"""Requests beyond a limit are rejected before their body is read, and nothing is left."""

import asyncio
import gc
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from bench.fakes.asgi import ask
from bench.inputs.corpus import images
from bench.inputs.forms import as_multipart
from service.settings import Settings
from tests.service.stub import stubbed

URL = "/v1/emotions"
JPEG = images()["JPEG"]
KIND = {b"content-type": b"image/jpeg"}


@contextmanager
def others(app: FastAPI, images: int = 0, size: int = 0) -> Iterator[None]:
    """Reserve images and bytes for another request."""
    with app.state.admission.admit(None, math.inf) as admitted:
        admitted.add_bytes(size)
        admitted.add_images(images)
        yield


def exported(app: FastAPI, line: str) -> bool:
    return line in app.state.metrics.render().decode()


async def test_a_full_service_reads_no_body(plans: Path) -> None:
    read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield JPEG

    async with stubbed(Settings(plans=plans, max_queue=2)) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            headers = {"content-type": "image/jpeg"}
            with others(app, images=2):
                refused = await client.post(URL, content=body(), headers=headers)
                assert not read
                assert (await client.get("/livez")).status_code == 200
            assert (await client.post(URL, content=body(), headers=headers)).status_code == 200
        assert exported(app, 'emotions_requests_total{path="/v1/emotions",status="503"} 1.0')
        assert exported(app, 'emotions_refused_requests_total{code="overloaded"} 1.0')
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-request-id"] == refused.json()["request_id"]


async def test_a_malformed_request_gets_400_even_if_the_service_is_full(plans: Path) -> None:
    async with stubbed(Settings(plans=plans, max_queue=1)) as app:
        with others(app, images=1):
            headers = KIND | {b"x-request-deadline-ms": b"soon"}
            assert (await ask(app, JPEG, headers)).status == 400
            assert (await ask(app, JPEG, KIND, b"min_scor=1")).status == 400
            assert (await ask(app, JPEG, KIND)).status == 503


async def test_a_request_that_would_be_late_is_refused_at_once(plans: Path) -> None:
    async with stubbed(Settings(plans=plans)) as app:
        app.state.admission.throughput.seconds_per_image = 0.1
        with others(app, images=10):
            late = await ask(app, JPEG, KIND | {b"x-request-deadline-ms": b"1000"})
            patient = await ask(app, JPEG, KIND | {b"x-request-deadline-ms": b"2000"})
    assert (late.status, patient.status) == (503, 200)
    assert b"deadline" in late.body


async def test_the_images_of_a_request_count_together(plans: Path) -> None:
    form = as_multipart([JPEG] * 3)
    kind = {b"content-type": form.kind.encode()}
    async with stubbed(Settings(plans=plans, max_queue=4)) as app:
        with others(app, images=2):
            assert (await ask(app, form.content, kind)).status == 503
        with others(app, images=1):
            assert (await ask(app, form.content, kind)).status == 200
        assert exported(app, "emotions_images_under_way 0.0")


async def test_the_bytes_of_all_requests_have_a_limit(plans: Path) -> None:
    async with stubbed(Settings(plans=plans, max_held_bytes=len(JPEG) + 100)) as app:
        with others(app, size=100):
            assert (await ask(app, JPEG, KIND)).status == 200
        with others(app, size=101):
            refused = await ask(app, JPEG, KIND)
            assert (refused.status, b'"code":"overloaded"' in refused.body) == (503, True)
            assert exported(app, "emotions_held_bytes 101.0")
        assert (await ask(app, JPEG + bytes(1000), KIND)).status == 200
        assert exported(app, "emotions_held_bytes 0.0")


@pytest.mark.parametrize("accept", [b"application/json", b"application/jsonl"])
@pytest.mark.parametrize("count", [1, 3])
async def test_a_client_that_disconnects_releases_its_images(
    plans: Path, count: int, accept: bytes
) -> None:
    """The client disconnects while its images are analyzed."""
    form = as_multipart([JPEG] * count)
    kind = {b"content-type": form.kind.encode(), b"accept": accept}
    async with stubbed(Settings(plans=plans)) as app:
        pipeline, admission = app.state.pipeline, app.state.admission
        pipeline.free.clear()
        asking = asyncio.create_task(ask(app, form.content, kind))
        while len(pipeline.images) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert (admission.images, admission.bytes) == (count, len(form.content))
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.sleep(0)
        assert (admission.images, admission.bytes, admission.by_key) == (0, 0, {})


async def test_images_are_released_before_a_slow_client_has_read(plans: Path) -> None:
    """Its bytes are released when the answer was sent."""
    reads = asyncio.Event()
    form = as_multipart([JPEG] * 3)
    headers = [(b"content-type", form.kind.encode()), (b"accept", b"application/jsonl")]
    scope = {"type": "http", "method": "POST", "path": URL, "query_string": b"", "headers": headers}
    body = [{"type": "http.request", "body": form.content, "more_body": False}]

    async def receive() -> dict[str, object]:
        if body:
            return body.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(_: object) -> None:
        await reads.wait()

    async with stubbed(Settings(plans=plans)) as app:
        admission = app.state.admission
        asking = asyncio.create_task(app(scope, receive, send))
        while not admission.images:  # noqa: ASYNC110
            await asyncio.sleep(0)
        while admission.images:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert (admission.bytes, admission.by_key) == (len(form.content), {None: 3})
        reads.set()
        await asking
        assert (admission.bytes, admission.by_key) == (0, {})


async def test_a_form_with_many_files_does_not_block_other_requests(plans: Path) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    files = 60
    form = as_multipart([b"no image"] * files)
    async with stubbed(Settings(plans=plans)) as app:
        beside = asyncio.create_task(others())
        await asyncio.sleep(0)
        turns = 0
        assert (await ask(app, form.content, {b"content-type": form.kind.encode()})).status == 200
        assert turns >= files
        beside.cancel()


async def test_a_deadline_that_passes_leaves_no_error_in_the_log(plans: Path) -> None:
    logged: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    form = as_multipart([JPEG] * 60)
    headers = {b"content-type": form.kind.encode(), b"x-request-deadline-ms": b"30"}
    async with stubbed(Settings(plans=plans)) as app:
        app.state.pipeline.free.clear()
        for accept in (b"application/json", b"application/jsonl"):
            late = await ask(app, form.content, headers | {b"accept": accept})
            assert late.status == 504
        assert (app.state.admission.images, app.state.admission.bytes) == (0, 0)
    gc.collect()
    assert not logged
