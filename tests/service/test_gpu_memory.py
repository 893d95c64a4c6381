"""A real server whose GPU has no memory left: it is not ready, answers, and recovers."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import Server, serving
from tests.service import faulty
from tests.service.load import PATIENCE_S, PLAIN, devices, metric, until, until_ready
from tests.service.topologies import environment

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="workers are processes of their own on Linux only"
)


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    return tmp_path / "opened"


@pytest.fixture
def server(plans: Path, opened: Path) -> Iterator[Server]:
    settings = environment("device") | {"workers": "1", "deadline_s": "120"}
    with serving(plans, engine=faulty.name(opened), **settings) as found:
        yield found


async def test_the_service_recovers_when_memory_is_free_again(server: Server, opened: Path) -> None:
    full = opened.with_name(faulty.FULL)
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as http:
        await until_ready(http, True)
        full.touch()
        (device,) = devices(server)
        os.kill(device, signal.SIGKILL)
        await until_ready(http, False)
        await until(lambda: "cannot be opened: 8.0 MiB of GPU memory" in server.log.read_text())
        headers = {"content-type": "image/png", "x-request-deadline-ms": "300"}
        refused = await http.post("/v1/emotions", content=PLAIN, headers=headers)
        assert refused.status_code in {503, 504}
        assert (await http.get("/livez")).is_success
        async with asyncio.TaskGroup() as group:
            patient = {"content-type": "image/png"}
            waiting = group.create_task(http.post("/v1/emotions", content=PLAIN, headers=patient))
            await until(lambda: metric(server, "emotions_images_under_way") == 1)
            full.unlink()
        answer = waiting.result()
        assert answer.status_code == 200
        assert len(answer.json()["images"][0]["faces"]) == 1
