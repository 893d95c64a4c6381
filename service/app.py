"""The ASGI application: settings in, a service out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service import page, problems, routes
from service.metrics import Metrics
from service.middleware import Observed
from service.settings import Settings
from service.startup import find_models, open_pipeline
from service.tracing import Tracing, open_tracing

DESCRIPTION = "Finds faces in images and reads their emotions. Nothing that is sent is kept."
VERSION = "0.1.0"


def create_app(settings: Settings, tracing: Tracing | None = None) -> FastAPI:
    """Make the application; its engines open when it starts and close when it has answered all.

    `tracing` is what `settings` ask for unless given.

    Raises:
        EngineError: a plan is missing or does not fit; the message names the command to run.
    """
    models = find_models(settings)
    metrics, tracing = Metrics(VERSION), tracing or open_tracing(settings)
    app = FastAPI(
        title="emotions",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=_lifespan,
        telemetry=tracing.telemetry,
    )
    app.state.settings, app.state.models, app.state.metrics = settings, models, metrics
    app.state.tracing = tracing
    app.state.pipeline = open_pipeline(settings, models, metrics, tracing)
    app.include_router(routes.router)
    page.install(app)
    app.add_middleware(Observed, metrics=metrics, tracing=tracing)
    problems.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pipeline.start()
    yield
    await asyncio.to_thread(app.state.pipeline.close)
    await asyncio.to_thread(app.state.tracing.close)
