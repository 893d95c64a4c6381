"""The service's pipeline, from a JPEG to emotions, without HTTP."""

import asyncio
import time

from analysis.types import Options
from bench.inputs.scenes import scene
from service.factory import find_models, open_pipeline
from service.settings import Settings
from service.telemetry.metrics import Metrics

SCENE = "1920x1080, 5 faces"
DEADLINE_S = 600


async def pipeline_rates(settings: Settings, seconds: float, clients: int) -> tuple[float, float]:
    """Images and faces per second of `SCENE` in a closed loop."""
    pipeline, body = open_pipeline(settings, find_models(settings), Metrics()), scene(SCENE)
    faces: list[int] = []

    async def analyze() -> int:
        result = await pipeline.analyze(body, Options(), time.monotonic() + DEADLINE_S)
        return len(result.unwrap().scores)

    async def client(stop: float) -> None:
        while time.monotonic() < stop:
            faces.append(await analyze())

    pipeline.start()
    try:
        await analyze()
        started = time.monotonic()
        await asyncio.gather(*(client(started + seconds) for _ in range(clients)))
        elapsed = time.monotonic() - started
    finally:
        await pipeline.close()
    return len(faces) / elapsed, sum(faces) / elapsed
