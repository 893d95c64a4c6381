"""The ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from analysis.workers.replica import Replica
from engines.types import Engine
from service.factory import FoundModels, find_models, open_pipeline, open_tracing
from service.http import headers, openapi, pages, problems, routes
from service.http.admission import Admission, Limits
from service.http.auth import ApiKeys
from service.http.emotions import Emotions, EmotionsRoute
from service.http.fetch import Fetcher
from service.http.images import RequestAnalyzer
from service.http.paths import Paths
from service.http.types import ImagePipeline
from service.http.urls import Allowed
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.middleware import TelemetryMiddleware
from service.telemetry.multiprocess import AllMetrics, MultiprocessMetrics
from service.telemetry.tracing import Tracing

DESCRIPTION = "Finds faces in images and reads their emotions. Does not store what it receives."
VERSION = "0.1.0"


def create_app(
    settings: Settings, tracing: Tracing | None = None, *, engine: Engine | None = None
) -> FastAPI:
    """Make the application; its engines open at startup and close after the last answer.

    `tracing` and `engine` replace those of `settings`.

    Raises:
        EngineError: a plan is missing or does not fit, or a setting is wrong; the message names
            the fix.
    """
    return make_app(settings, find_models(settings, engine), tracing)


def make_app(
    settings: Settings,
    models: FoundModels,
    tracing: Tracing | None = None,
    *,
    replica: Replica | None = None,
) -> FastAPI:
    """Make the application around `models`; `replica` is set if there are several processes.

    Raises:
        EngineError: a setting is wrong; the message names the fix.
    """
    metrics, tracing = Metrics(VERSION), tracing or open_tracing(settings)
    pipeline = open_pipeline(settings, models, metrics, tracing, replica)
    return assemble(settings, models, pipeline, metrics=metrics, tracing=tracing, replica=replica)


def assemble(
    settings: Settings,
    models: FoundModels,
    pipeline: ImagePipeline,
    *,
    metrics: Metrics,
    tracing: Tracing,
    replica: Replica | None = None,
    all_metrics: AllMetrics | None = None,
) -> FastAPI:
    """Make the application around a pipeline; `all_metrics` are by default those of `replica`.

    Raises:
        EngineError: the API keys or the allowed URLs are malformed; the message names the fix.
    """
    replica = replica or Replica()
    admission = _admission(settings, pipeline, metrics, replica)
    fetcher = _fetcher(settings)
    analyzer = RequestAnalyzer(
        pipeline, metrics.requests, fetcher, admission.throughput, settings.max_body_bytes
    )
    emotions = EmotionsRoute(Emotions(settings, models, analyzer, admission))
    app = _application(settings, tracing, emotions)
    state = app.state
    state.settings, state.models, state.pipeline = settings, models, pipeline
    state.admission, state.fetcher, state.tracing = admission, fetcher, tracing
    state.metrics = metrics
    state.all_metrics = all_metrics or MultiprocessMetrics(metrics, replica)
    state.max_connections = replica.part_of(settings.max_connections)
    state.keys = _keys(settings)
    _install(app)
    return app


def check(settings: Settings) -> None:
    """Check the API keys and the allowed URLs, before processes are forked that need them.

    Raises:
        EngineError: they are malformed; the message names the fix.
    """
    _keys(settings)
    _allowed(settings)


def _application(settings: Settings, tracing: Tracing, emotions: EmotionsRoute) -> FastAPI:
    return FastAPI(
        title="emotions",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        redirect_slashes=False,  # `Paths` ignores slashes
        telemetry=tracing.telemetry,
        routes=[emotions],
    )


def _install(app: FastAPI) -> None:
    """Add the other routes, the middleware and the error handlers."""
    state, settings = app.state, app.state.settings
    app.include_router(routes.api)
    app.include_router(routes.probes)
    if not state.keys.required:
        openapi.make_keys_optional(app)
    pages.install(app, settings.root_path, docs=settings.docs)
    headers.install(app, settings.cors_origins)
    app.add_middleware(TelemetryMiddleware, metrics=state.metrics, tracing=state.tracing)
    app.add_middleware(Paths, root_path=settings.root_path)
    problems.install(app)


def _admission(
    settings: Settings, pipeline: ImagePipeline, metrics: Metrics, replica: Replica
) -> Admission:
    per_key = settings.max_images_per_key
    limits = Limits(
        images=replica.part_of(settings.max_queue),
        images_per_key=per_key and replica.part_of(per_key),
        bytes=replica.part_of(settings.max_held_bytes),
    )
    admission = Admission(limits, pipeline.workers)
    metrics.requests.export_images(lambda: admission.images, limits.images)
    metrics.requests.export_bytes(lambda: admission.bytes, limits.bytes)
    return admission


def _fetcher(settings: Settings) -> Fetcher:
    return Fetcher(
        _allowed(settings),
        max_bytes=settings.max_image_bytes,
        timeout_s=settings.url_timeout_s,
        max_redirects=settings.url_max_redirects,
    )


def _allowed(settings: Settings) -> Allowed:
    return Allowed(settings.url_allow, settings.url_networks)


def _keys(settings: Settings) -> ApiKeys:
    given = (key.get_secret_value() for key in settings.api_keys)
    return ApiKeys(given, settings.api_keys_file)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    with state.keys.watched():
        async with state.all_metrics.serving():
            state.pipeline.start()
            yield
        await state.fetcher.close()
        await state.pipeline.close()
        await asyncio.to_thread(state.tracing.close)
