"""The addresses of the service but `POST /v1/emotions`, which is only described here."""

from fastapi import APIRouter, Depends, Request, Response

from analysis.document import Answer, ModelCard, ModelCards, Readiness
from analysis.workers.pipeline import Pipeline
from service.factory import Model
from service.factory import Models as FoundModels
from service.http.auth import authorize
from service.http.openapi import ANALYZE
from service.telemetry.metrics import Metrics
from service.telemetry.summed import Summed

api, probes = APIRouter(prefix="/v1"), APIRouter()


@api.post(
    "/emotions",
    response_model=Answer,
    summary="Find faces and read their emotions",
    **ANALYZE,
)
async def analyze() -> None:
    """Answer with the faces of each image, in the order of the request."""
    raise NotImplementedError("for the description; `emotions.EmotionsRoute` stands before this")


@api.get("/models", dependencies=[Depends(authorize)], summary="The models in use")
async def list_models(request: Request) -> ModelCards:
    """Name each model with its plan and how near it is to the reference."""
    models: FoundModels = request.app.state.models
    return ModelCards(models=[_card(model, models) for model in models.all])


def _card(model: Model, models: FoundModels) -> ModelCard:
    spec, fingerprint = model.spec, model.sidecar.fingerprint
    return ModelCard(
        name=spec.name,
        task=spec.task,
        version=spec.version,
        licence=spec.licence,
        labels=list(spec.labels),
        engine=models.engine.name,
        reason=models.reason,
        precision=fingerprint.precision,
        batches=list(spec.batches),
        plan=fingerprint.digest,
        same_person=spec.same_person if spec.task == "embedder" else None,
        parity=model.sidecar.parity or {},
    )


@probes.get("/livez", summary="The process answers")
async def livez() -> dict[str, bool]:
    """Say that the process is alive, whatever its engines do."""
    return {"live": True}


@probes.get("/readyz", summary="Requests are served", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Say whether every network is warmed up and which engine runs them."""
    pipeline: Pipeline = request.app.state.pipeline
    networks = pipeline.ready
    ready = all(networks.values())
    response.status_code = 200 if ready else 503
    models: FoundModels = request.app.state.models
    return Readiness(
        ready=ready, engine=models.engine.name, reason=models.reason, networks=networks
    )


@probes.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Export the metrics in Prometheus' text format."""
    summed: Summed = request.app.state.summed
    return Response(await summed.render(), media_type=Metrics.content_type)
