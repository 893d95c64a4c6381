"""What there is no room for is refused before its body is read, and counted where it belongs."""

from pathlib import Path

from bench.corpus import images
from bench.hollow import ask, hollow
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
