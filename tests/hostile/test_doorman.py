"""What there is no room for is refused before its body is read, and counted where it belongs."""

import asyncio
import gc
from pathlib import Path

from bench.corpus import images
from bench.forms import BOUNDARY, as_multipart
from bench.hollow import ask, hollow
from service.bodies import SLICE
from service.settings import Settings

KIND = {b"content-type": b"image/jpeg"}


async def test_a_full_service_reads_no_body(plans: Path) -> None:
    async with hollow(Settings(plans=plans, max_queue=2)) as app:
        gate, metrics = app.state.pipeline.gate, app.state.metrics
        with gate.admit(2):
            refused = await ask(app, images()["JPEG"], KIND)
            probed = await ask(app, b"", {}, path="/livez", method="GET")
        answered = await ask(app, images()["JPEG"], KIND)
        exported = metrics.render().decode()
    assert (refused.status, probed.status, answered.status) == (503, 200, 200)
    assert b'"code":"overloaded"' in refused.body
    (line,) = [
        line
        for line in exported.splitlines()
        if line.startswith("emotions_requests_total") and 'status="503"' in line
    ]
    assert 'path="/v1/emotions"' in line


async def test_a_deadline_that_is_no_number_is_left_to_the_route(plans: Path) -> None:
    async with hollow(Settings(plans=plans)) as app:
        with app.state.pipeline.gate.admit(1):
            headers = KIND | {b"x-request-deadline-ms": b"soon"}
            assert (await ask(app, images()["JPEG"], headers)).status == 400


async def test_a_body_that_is_slow_to_take_apart_stops_nobody_else(plans: Path) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    likeness = b"\r\n--x\r\r" * 200_000
    content = as_multipart([likeness]).content.replace(BOUNDARY.encode(), b"x")
    kind = {b"content-type": b"multipart/form-data; boundary=x"}
    async with hollow(Settings(plans=plans)) as app:
        beside = asyncio.create_task(others())
        late = await ask(app, content, kind | {b"x-request-deadline-ms": b"20"})
        assert (late.status, turns > 0) == (504, True)
        turns = 0
        assert (await ask(app, content, kind)).status == 415
        assert turns >= len(content) // SLICE
        beside.cancel()


async def test_what_is_sent_at_once_has_a_limit(plans: Path) -> None:
    image = images()["JPEG"]
    async with hollow(Settings(plans=plans, max_held_bytes=len(image) + 100)) as app:
        held = app.state.held
        with held.hold() as other:
            other.take(100)
            assert (await ask(app, image, KIND)).status == 200
            other.take(1)
            refused = await ask(app, image, KIND)
            assert (refused.status, b'"code":"overloaded"' in refused.body) == (503, True)
            assert held.bytes == 101
        assert held.bytes == 0
        assert (await ask(app, image + bytes(1000), KIND)).status == 200
        assert "emotions_held_bytes 0.0" in app.state.metrics.render().decode()


async def test_who_asks_for_too_little_time_leaves_no_error_in_the_log(plans: Path) -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    form = as_multipart([images()["JPEG"]] * 60)
    headers = {b"content-type": form.kind.encode(), b"x-request-deadline-ms": b"30"}
    async with hollow(Settings(plans=plans)) as app:
        for accept in (b"application/json", b"application/jsonl"):
            await ask(app, form.content, headers | {b"accept": accept})
    gc.collect()
    assert not told
