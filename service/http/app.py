"""The ASGI application: settings in, a service out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from analysis.workers.pipeline import Pipeline
from analysis.workers.replica import Replica
from engines.types import Engine
from service.factory import Models, find_models, open_pipeline, open_tracing
from service.http import docs, headers, pages, problems, routes
from service.http.admission import Admission, Limits
from service.http.auth import described
from service.http.emotions import Emotions, EmotionsRoute
from service.http.fetch import Fetcher
from service.http.images import Analyst
from service.http.keyring import KeyRing
from service.http.urls import Allowed
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.middleware import Observed
from service.telemetry.summed import Summed
from service.telemetry.tracing import Tracing

DESCRIPTION = "Finds faces in images and reads their emotions. Nothing that is sent is kept."
VERSION = "0.1.0"


def create_app(
    settings: Settings, tracing: Tracing | None = None, *, engine: Engine | None = None
) -> FastAPI:
    """Make the application; its engines open when it starts and close when it has answered all.

    `tracing` and `engine` are what `settings` ask for unless given.

    Raises:
        EngineError: a plan is missing or does not fit, or a setting is wrong; the message names
            the fix.
    """
    return make_app(settings, find_models(settings, engine), tracing)


def make_app(
    settings: Settings,
    models: Models,
    tracing: Tracing | None = None,
    *,
    replica: Replica | None = None,
) -> FastAPI:
    """Make the application of models; `replica` is which part where there are several processes.

    Raises:
        EngineError: a setting is wrong; the message names the fix.
    """
    metrics, tracing = Metrics(VERSION), tracing or open_tracing(settings)
    pipeline = open_pipeline(settings, models, metrics, tracing, replica)
    return assemble(settings, models, pipeline, metrics=metrics, tracing=tracing, replica=replica)


def assemble(
    settings: Settings,
    models: Models,
    pipeline: Pipeline,
    *,
    metrics: Metrics,
    tracing: Tracing,
    replica: Replica | None = None,
) -> FastAPI:
    """Make the application around a pipeline.

    Raises:
        EngineError: the API keys cannot be read; the message names the fix.
    """
    replica = replica or Replica()
    admission = _admission(settings, pipeline, metrics, replica)
    fetcher = _fetcher(settings)
    analyst = Analyst(pipeline, metrics, fetcher, admission.pace, settings.max_body_bytes)
    app = FastAPI(
        title="emotions",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        telemetry=tracing.telemetry,
        routes=[EmotionsRoute(Emotions(settings, models, analyst, admission))],
    )
    app.state.settings, app.state.models, app.state.metrics = settings, models, metrics
    app.state.pipeline, app.state.admission, app.state.fetcher = pipeline, admission, fetcher
    app.state.tracing = tracing
    app.state.summed = Summed(metrics, replica)
    app.state.max_connections = replica.part_of(settings.max_connections)
    app.state.keys = KeyRing(
        (key.get_secret_value() for key in settings.api_keys), settings.api_keys_file
    )
    _install(app, settings)
    app.add_middleware(Observed, metrics=metrics, tracing=tracing)
    problems.install(app)
    return app


def _install(app: FastAPI, settings: Settings) -> None:
    """Install the routes and pages, and the headers of all answers."""
    app.include_router(routes.api, dependencies=described(app.state.keys))
    app.include_router(routes.probes)
    files = pages.install(app, docs=settings.docs)
    if settings.docs:
        docs.install(app, files)
    headers.install(app, settings.cors_origins)


def _admission(
    settings: Settings, pipeline: Pipeline, metrics: Metrics, replica: Replica
) -> Admission:
    per_key = settings.max_images_per_key
    limits = Limits(
        images=replica.part_of(settings.max_queue),
        images_per_key=per_key and replica.part_of(per_key),
        bytes=replica.part_of(settings.max_held_bytes),
    )
    admission = Admission(limits, pipeline.workers)
    metrics.watch_images(lambda: admission.images, limits.images)
    metrics.watch_bytes(lambda: admission.bytes, limits.bytes)
    return admission


def _fetcher(settings: Settings) -> Fetcher:
    return Fetcher(
        Allowed(settings.url_allow, settings.url_networks),
        max_bytes=settings.max_image_bytes,
        timeout_s=settings.url_timeout_s,
        max_redirects=settings.url_max_redirects,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    with state.keys.watched():
        async with state.summed.shown():
            state.pipeline.start()
            yield
        await state.fetcher.close()
        await state.pipeline.close()
        await asyncio.to_thread(state.tracing.close)
