"""Stage `pipeline`: the service's pipeline, from a JPEG to emotions, without HTTP."""

import asyncio
import time
from collections.abc import Iterator

from analysis.types import Options
from analysis.workers.pipeline import Pipeline
from bench.gpu.day import Day, service_settings, usable
from bench.gpu.results import Figure, Finding
from bench.inputs.scenes import scene
from service.factory import find_models, open_pipeline
from service.settings import Settings
from service.telemetry.metrics import Metrics

DEADLINE_S = 600


def pipeline(day: Day) -> Iterator[Finding]:
    """Yield images and faces per second of each scene."""
    for engine in usable(day):
        settings = Settings(**service_settings(day, engine))  # type: ignore[arg-type]
        yield from asyncio.run(_figures(day, engine.name, settings))


async def _figures(day: Day, engine: str, settings: Settings) -> list[Figure]:
    opened, found = open_pipeline(settings, find_models(settings), Metrics()), list[Figure]()
    opened.start()
    try:
        for name in day.scenes:
            images, faces = await rates(opened, scene(name), day.load_s, day.clients)
            values = {"images_per_s": round(images, 1), "faces_per_s": round(faces, 1)}
            found.append(Figure(f"{engine}, {name}", values))
    finally:
        await opened.close()
    return found


async def rates(opened: Pipeline, body: bytes, seconds: float, clients: int) -> tuple[float, float]:
    """Images and faces per second in a closed loop, after one image to warm up."""
    faces: list[int] = []

    async def analyze() -> int:
        result = await opened.analyze(body, Options(), time.monotonic() + DEADLINE_S)
        return len(result.unwrap().scores)

    async def client(stop: float) -> None:
        while time.monotonic() < stop:
            faces.append(await analyze())

    await analyze()
    started = time.monotonic()
    await asyncio.gather(*(client(started + seconds) for _ in range(clients)))
    elapsed = time.monotonic() - started
    return len(faces) / elapsed, sum(faces) / elapsed
