"""The routes of the service; `POST /v1/emotions` is served by `emotions`, and described here."""

from fastapi import APIRouter, Depends, Request, Response

from service.factory import FoundModel, FoundModels
from service.http.auth import authorize
from service.http.documents import Answer, ModelCard, ModelCards, Readiness
from service.http.openapi import ANALYZE, SECURITY
from service.http.types import ImagePipeline
from service.telemetry.metrics import Metrics
from service.telemetry.multiprocess import AllMetrics

api, probes = APIRouter(prefix="/v1", dependencies=SECURITY), APIRouter()


@api.post(
    "/emotions",
    response_model=Answer,
    summary="Find faces and read their emotions",
    **ANALYZE,
)
async def analyze() -> None:
    """Answer with the faces of each image, in the order of the request."""
    raise NotImplementedError("only for OpenAPI; `emotions.EmotionsRoute` matches first")


# Balancers and monitors send HEAD. It has routes of its own, so that OpenAPI describes only GET.
@api.head("/models", dependencies=[Depends(authorize)], include_in_schema=False)
@api.get("/models", dependencies=[Depends(authorize)], summary="The models in use")
async def list_models(request: Request) -> ModelCards:
    """List each model with its plan and how far that is from the reference."""
    models: FoundModels = request.app.state.models
    # A model has a card for each kind of GPU, each with another plan.
    return ModelCards(models=[_card(model, kind) for kind in models.kinds for model in kind.all])


def _card(model: FoundModel, models: FoundModels) -> ModelCard:
    spec, fingerprint = model.spec, model.sidecar.fingerprint
    return ModelCard(
        name=spec.name,
        task=spec.task,
        version=spec.version,
        licence=spec.licence,
        labels=list(spec.labels),
        engine=fingerprint.engine,
        reason=models.reason,
        precision=fingerprint.precision,
        batches=list(spec.batches),
        plan=fingerprint.digest,
        same_person=spec.same_person if spec.task == "embedder" else None,
        parity=model.sidecar.parity or {},
    )


@probes.head("/livez", include_in_schema=False)
@probes.get("/livez", summary="The process answers")
async def livez() -> dict[str, bool]:
    """Report that the process is alive, whatever its engines do."""
    return {"live": True}


@probes.head("/readyz", include_in_schema=False)
@probes.get("/readyz", summary="Requests are served", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Report whether every network is warmed up, and which engine runs them."""
    pipeline: ImagePipeline = request.app.state.pipeline
    networks = pipeline.ready
    ready = all(networks.values())
    response.status_code = 200 if ready else 503
    models: FoundModels = request.app.state.models
    return Readiness(
        ready=ready, engine=models.engine.name, reason=models.reason, networks=networks
    )


@probes.head("/metrics", response_class=Response, include_in_schema=False)
@probes.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Export the metrics in the text format of Prometheus."""
    found: AllMetrics = request.app.state.all_metrics
    return Response(await found.render(), media_type=Metrics.content_type)
