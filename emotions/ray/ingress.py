"""The deployment that answers HTTP requests, with the application of `emotions serve`."""

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emotions.ray.metrics import ClusterMetrics
from emotions.ray.pipeline import RemotePipeline
from service.factory import FoundModels, open_tracing
from service.http.app import VERSION, assemble
from service.settings import Settings
from service.telemetry.logs import configure
from service.telemetry.metrics import Metrics

NAME = "Ingress"
REQUEST_ID = "x-request-id"


class Ingress:
    """Reads requests, has their images analyzed by the other deployment, and answers."""

    def __init__(self, settings: Settings, analysis: DeploymentHandle, replicas: int) -> None:
        configure(settings)
        self._settings, self._analysis, self._replicas = settings, analysis, replicas
        self._metrics = Metrics(VERSION)

    async def __serve_build_asgi_app__(self) -> FastAPI:
        """Make the application; Ray awaits this in each replica.

        It waits for the first replica of the other deployment, which describes its models.
        """
        settings, context = self._settings, serve.get_replica_context()
        models: FoundModels = await self._analysis.models.remote()
        networks = [model.spec.task for model in models.all]
        workers = settings.workers * self._replicas
        ingress = serve.get_deployment_handle(NAME, context.app_name)
        app = assemble(
            settings,
            models,
            RemotePipeline(self._analysis, networks, workers),
            metrics=self._metrics,
            tracing=open_tracing(settings),
            all_metrics=ClusterMetrics(ingress, self._analysis),
        )
        app.add_middleware(OneRequestId)
        return app

    async def metrics(self) -> tuple[str, str]:
        """Return the name of this replica, and its metrics in the text format of Prometheus."""
        return serve.get_replica_context().replica_tag, self._metrics.render().decode()


class OneRequestId:
    """ASGI middleware that removes the id of the request from answers, since Ray adds it again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_once(message: Message) -> None:
            if message["type"] == "http.response.start":
                given, ours = MutableHeaders(scope=scope), MutableHeaders(scope=message)
                if given.get(REQUEST_ID) == ours.get(REQUEST_ID):
                    del ours[REQUEST_ID]
            await send(message)

        await self._app(scope, receive, send_once)
