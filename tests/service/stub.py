"""The HTTP layer around a pipeline without networks and processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from fastapi import FastAPI

from analysis.types import Analysis, Detections, Options, Result, Source
from service.factory import find_models
from service.http.app import assemble
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import Tracing


class StubPipeline:
    """Finds one face in every image; waits while `free` is not set."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels, self.embeds, self.workers = labels, False, 2
        self.ready = dict.fromkeys(("detector", "landmarks", "emotion"), True)
        self.images: list[Source] = []
        self.free = asyncio.Event()
        self.free.set()
        self.closed = False

    def start(self) -> None:
        pass

    async def close(self) -> None:
        self.closed = True

    async def analyze(
        self,
        source: Source,
        options: Options,  # noqa: ARG002
        deadline: float,  # noqa: ARG002
        owner: object = None,  # noqa: ARG002
    ) -> Result:
        self.images.append(source)
        await self.free.wait()
        faces = Detections(
            np.array([[10, 20, 30, 40]], np.float32),
            np.full((1, 5, 2), 25, np.float32),
            np.array([0.9], np.float32),
        )
        labels = len(self.labels)
        scores = np.full((1, labels), 1 / labels, np.float32)
        return Result(Analysis(64, 48, faces, scores, np.full(1, 0.75, np.float32)), [])


@asynccontextmanager
async def stubbed(settings: Settings) -> AsyncIterator[FastAPI]:
    """Start the application; its pipeline is `app.state.pipeline`."""
    models = find_models(settings)
    pipeline = StubPipeline(models.emotion.spec.labels)
    app = assemble(settings, models, pipeline, metrics=Metrics(), tracing=Tracing())
    async with app.router.lifespan_context(app):
        yield app
