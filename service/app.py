"""The ASGI application: settings in, a service out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service import docs, headers, page, problems, routes
from service.analysis import Analyst
from service.auth import described
from service.doorman import Doorman
from service.fetch import Fetcher
from service.held import Held
from service.keyring import KeyRing
from service.metrics import Metrics
from service.middleware import Observed
from service.refusals import Refusals
from service.settings import Settings
from service.shares import Shares
from service.startup import find_models
from service.tracing import Tracing, open_tracing
from service.urls import Allowed
from service.wiring import open_pipeline

DESCRIPTION = "Finds faces in images and reads their emotions. Nothing that is sent is kept."
VERSION = "0.1.0"


def create_app(settings: Settings, tracing: Tracing | None = None) -> FastAPI:
    """Make the application; its engines open when it starts and close when it has answered all.

    `tracing` is what `settings` ask for unless given.

    Raises:
        EngineError: a plan is missing or does not fit, or a setting is wrong; the message names
            the fix.
    """
    models = find_models(settings)
    metrics, tracing = Metrics(VERSION), tracing or open_tracing(settings)
    app = FastAPI(
        title="emotions",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        telemetry=tracing.telemetry,
    )
    app.state.settings, app.state.models, app.state.metrics = settings, models, metrics
    app.state.tracing = tracing
    app.state.pipeline = open_pipeline(
        settings, models, metrics, tracing, isolated=settings.isolate
    )
    app.state.refusals = Refusals(app.state.pipeline.gate, settings, metrics)
    app.state.fetcher = _fetcher(settings)
    app.state.analyst = Analyst(
        app.state.pipeline, metrics, app.state.fetcher, settings.max_body_bytes
    )
    app.add_middleware(Doorman, serve=routes.analyze)
    _guard(app, settings)
    app.add_middleware(Observed, metrics=metrics, tracing=tracing)
    problems.install(app)
    return app


def _guard(app: FastAPI, settings: Settings) -> None:
    """Install the routes and pages, the keys that open them, and the headers of all answers."""
    given = (key.get_secret_value() for key in settings.api_keys)
    app.state.keys = KeyRing(given, settings.api_keys_file)
    app.state.shares = Shares(settings.max_images_per_key)
    app.state.held = held = Held(settings.max_held_bytes)
    app.state.metrics.watch_bytes(lambda: held.bytes, settings.max_held_bytes)
    app.include_router(routes.api, dependencies=described(app.state.keys))
    app.include_router(routes.probes)
    files = page.install(app, docs=settings.docs)
    if settings.docs:
        docs.install(app, files)
    headers.install(app, settings.cors_origins)


def _fetcher(settings: Settings) -> Fetcher:
    return Fetcher(
        Allowed(settings.url_allow, settings.url_networks),
        max_bytes=settings.max_image_bytes,
        timeout_s=settings.url_timeout_s,
        max_redirects=settings.url_max_redirects,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pipeline.start()
    yield
    app.state.refusals.tell()
    await app.state.fetcher.close()
    await asyncio.to_thread(app.state.pipeline.close)
    await asyncio.to_thread(app.state.tracing.close)
