"""Replicas that are added under load, full queues, and images that kill workers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.engines.poisoned import DIES, HANGS
from tests.photographs import encode
from tests.ray.serving import ray_serving, replicas
from tests.server import Server
from tests.service import faulty
from tests.service.load import PATIENCE_S, PLAIN, metric, until

URL = "/v1/emotions"
CONFIGURATION = Path(__file__).parents[2] / "docker/ray/serve.yaml"
# Images under way, above which requests are refused.
QUEUE = 12
KILLER, HANGING = (
    encode(np.full((64, 64, 3), colour, np.uint8), "PNG") for colour in (DIES, HANGS)
)


@pytest.fixture(scope="module")
def scaled(plans: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The configuration of the documentation, with the plans of this machine and a fake engine."""
    folder = tmp_path_factory.mktemp("ray")
    given = CONFIGURATION.read_text().replace("EMOTIONS_PLANS: /plans", f"EMOTIONS_PLANS: {plans}")
    (folder / "serve.yaml").write_text(given)
    engine = faulty.name(folder / "opened")
    configuration = str(folder / "serve.yaml")
    with ray_serving(plans, configuration, engine=engine, max_queue=str(QUEUE)) as running:
        yield running


def test_an_image_that_kills_its_worker_harms_no_other(scaled: Server) -> None:
    (replica,) = replicas(scaled)
    with scaled.client() as client:
        files = [("images", ("killer", KILLER)), ("images", ("plain", PLAIN))]
        killer, plain = client.post(URL, files=files).json()["images"]
    assert killer["error"]["code"] == "inference_failed"
    assert (plain["error"], len(plain["faces"])) == (None, 1)
    assert metric(scaled, "emotions_worker_restarts_total", reason="died") == 2
    assert replicas(scaled) == [replica]


async def test_a_queue_adds_a_replica(scaled: Server) -> None:
    """The images hang, so that the queue costs no time of the processor."""
    async with httpx.AsyncClient(base_url=scaled.url, timeout=PATIENCE_S) as client:
        sent = [asyncio.create_task(client.post(URL, files={"images": HANGING})) for _ in range(8)]
        await until(lambda: metric(scaled, "emotions_workers") == 2)
        for each in sent:
            each.cancel()
        await asyncio.wait(sent)


async def test_more_images_than_the_queue_takes_are_refused(scaled: Server) -> None:
    files = [("images", (str(i), PLAIN)) for i in range(QUEUE)]
    async with httpx.AsyncClient(base_url=scaled.url, timeout=60) as client:
        answers = await asyncio.gather(*(client.post(URL, files=files) for _ in range(20)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < len(answers)
    assert {answer.json()["code"] for answer in refused} == {"overloaded"}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
