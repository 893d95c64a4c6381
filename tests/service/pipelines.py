"""Pipelines in each topology, and images for them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from analysis.errors import ServiceError
from analysis.types import Analysis, Options, Source
from analysis.workers.pipeline import Pipeline
from engines.types import Engine
from service.factory import find_models, open_pipeline
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import Tracing
from tests.analysis.pictures import IMAGES as SOURCES
from tests.service.topologies import TOPOLOGIES, Topology

# Encoded images only.
IMAGES = [image for image in SOURCES if isinstance(image, bytes)]
PLAIN, EMBEDDINGS = Options(), Options(embeddings=True)
Outcome = Analysis | ServiceError


@asynccontextmanager
async def running(
    plans: Path,
    topology: Topology = "threads",
    *,
    engine: Engine | None = None,
    metrics: Metrics | None = None,
    tracing: Tracing | None = None,
    **changes: Any,
) -> AsyncIterator[Pipeline]:
    """Open a pipeline and wait until its workers are ready.

    A device has more workers than it runs batches at a time.
    """
    workers = 4 if topology == "device" else 2
    given = {"workers": workers, "engine": "onnxruntime"} | TOPOLOGIES[topology] | changes
    chosen = Settings.model_validate({"plans": plans} | given)
    models = find_models(chosen)
    if engine is not None:  # a fake engine cannot build plans
        models = models._replace(engine=engine)
    pipeline = open_pipeline(chosen, models, metrics or Metrics(), tracing)
    pipeline.start()
    try:
        async with asyncio.timeout(100):
            while pipeline.pool.workers_ready < pipeline.workers:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield pipeline
    finally:
        await pipeline.close()


async def analyze(pipeline: Pipeline, source: Source, options: Options = PLAIN) -> Outcome:
    try:
        return await found(pipeline, source, options)
    except ServiceError as error:
        return error


async def found(pipeline: Pipeline, source: Source, options: Options = PLAIN) -> Analysis:
    return (await pipeline.analyze(source, options, time.monotonic() + 60)).unwrap()
