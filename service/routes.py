"""The addresses of the service; each does one thing and hands the work on."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from service.analysis import analyze_all, unless_gone, until
from service.auth import authorize
from service.bodies import read_images
from service.errors import InvalidRequest
from service.metrics import Metrics
from service.openapi import ANALYZE
from service.pipeline import Options, Pipeline
from service.record import timed
from service.schemas import Answer, ModelCard, ModelCards, Models, Readiness, image_result
from service.settings import Settings
from service.startup import Models as FoundModels

router = APIRouter()


class State:
    """What the routes share, kept at `app.state`."""

    settings: Settings
    models: FoundModels
    pipeline: Pipeline
    metrics: Metrics


@router.post(
    "/v1/emotions",
    response_model=Answer,
    dependencies=[Depends(authorize)],
    summary="Find faces and read their emotions",
    **ANALYZE,
)
async def analyze(
    request: Request,
    *,
    min_score: Annotated[float | None, Query(ge=0, le=1, description="Least score")] = None,
    max_faces: Annotated[int | None, Query(ge=1, le=1000, description="Most faces")] = None,
    embeddings: Annotated[bool, Query(description="Return identity embeddings")] = False,
    labels: Annotated[str | None, Query(description="Softmax over these labels only")] = None,
    deadline_ms: Annotated[
        int | None,
        Header(alias="X-Request-Deadline-Ms", ge=1, description="Time for this request, at most"),
    ] = None,
) -> Response:
    """Answer with the faces of each image, in the order of the request."""
    state: State = request.app.state
    settings = state.settings
    wanted = _subset(labels, state.pipeline.labels)
    options = Options(
        settings.min_score if min_score is None else min_score,
        settings.max_faces if max_faces is None else max_faces,
        embeddings,
    )
    patience = settings.deadline_s if deadline_ms is None else deadline_ms / 1000
    deadline = time.monotonic() + min(patience, settings.deadline_s)
    async with until(deadline):
        with timed("read"):
            images = await read_images(
                request, max_bytes=settings.max_body_bytes, max_images=settings.max_images
            )
        work = analyze_all(state.pipeline, state.metrics, images, options, deadline)
        outcomes = await unless_gone(request, work)
    with timed("serialise"):
        results = [
            image_result(image.id, outcome, state.pipeline.labels, wanted)
            for image, outcome in zip(images, outcomes, strict=True)
        ]
        answer = Answer.model_construct(model=_models(state.models, embeddings), images=results)
        return Response(answer.model_dump_json(), media_type="application/json")


def _subset(labels: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """The labels asked for, in the client's order.

    Raises:
        InvalidRequest: an unknown label, or one twice.
    """
    if labels is None:
        return known
    wanted = tuple(label.strip() for label in labels.split(","))
    unknown = [label for label in wanted if label not in known]
    if unknown or len(set(wanted)) < len(wanted):
        raise InvalidRequest(f"labels: each one once, out of {', '.join(known)}")
    return wanted


def _models(models: FoundModels, embeddings: bool) -> Models:
    embedder = models.embedder if embeddings else None
    return Models(
        detector=models.detector.spec.name,
        emotion=models.emotion.spec.name,
        embedder=embedder.spec.name if embedder else None,
        backend=models.engine.name,
    )


@router.get("/v1/models", dependencies=[Depends(authorize)], summary="The models in use")
async def list_models(request: Request) -> ModelCards:
    """Name each model with its plan and how near it is to the reference."""
    models: FoundModels = request.app.state.models
    cards = [
        ModelCard(
            name=spec.name,
            task=spec.task,
            version=spec.version,
            licence=spec.licence,
            labels=list(spec.labels),
            engine=models.engine.name,
            reason=models.reason,
            precision=sidecar.fingerprint.precision,
            batches=list(spec.batches),
            plan=sidecar.fingerprint.digest,
            parity=sidecar.parity or {},
        )
        for spec, _, sidecar in models.all
    ]
    return ModelCards(models=cards)


@router.get("/livez", summary="The process answers")
async def livez() -> dict[str, bool]:
    """Say that the process is alive, whatever its engines do."""
    return {"live": True}


@router.get("/readyz", summary="Requests are served", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Say whether every network is warmed up and which engine runs them."""
    pipeline: Pipeline = request.app.state.pipeline
    networks = {batcher.name: batcher.ready for batcher in pipeline.batchers}
    ready = all(networks.values())
    response.status_code = 200 if ready else 503
    models: FoundModels = request.app.state.models
    return Readiness(
        ready=ready, engine=models.engine.name, reason=models.reason, networks=networks
    )


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Export the metrics in Prometheus' text format."""
    exported: Metrics = request.app.state.metrics
    return Response(exported.render(), media_type=exported.content_type)
