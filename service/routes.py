"""The addresses of the service; each does one thing and hands the work on."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from engines.catalog import ModelSpec
from service.analysis import Analyst, Asked, Outcome
from service.auth import authorize
from service.bodies import read_images
from service.errors import InvalidRequest
from service.held import Hold
from service.lines import Lines, asked_for, written
from service.metrics import Metrics
from service.openapi import ANALYZE
from service.parameters import parameters
from service.pipeline import Pipeline
from service.problems import problem_of
from service.record import timed
from service.schemas import (
    Answer,
    Document,
    ModelCard,
    ModelCards,
    Models,
    Readiness,
    image_document,
)
from service.settings import Settings
from service.shares import Share
from service.stages import Options
from service.startup import Models as FoundModels
from service.waiting import unless_gone, until

# Time past a request's deadline for the last lines to be read.
READING_S = 5
api, probes = APIRouter(prefix="/v1"), APIRouter()


class State:
    """What the routes share, kept at `app.state`."""

    settings: Settings
    models: FoundModels
    pipeline: Pipeline
    analyst: Analyst
    metrics: Metrics


@api.post(
    "/emotions",
    response_model=Answer,
    summary="Find faces and read their emotions",
    **ANALYZE,
)
async def analyze(request: Request) -> Response:
    """Answer with the faces of each image, in the order of the request."""
    state: State = request.app.state
    settings, given = state.settings, parameters(request)
    wanted = _subset(given.labels, state.pipeline.labels)
    options = Options(
        settings.min_score if given.min_score is None else given.min_score,
        settings.max_faces if given.max_faces is None else given.max_faces,
        given.embeddings,
    )
    longest = settings.deadline_s * 1000
    asked_ms = longest if given.deadline_ms is None else min(given.deadline_ms, longest)
    deadline = time.monotonic() + asked_ms / 1000
    hold: Hold = request.state.hold
    with timed("read"):
        async with until(deadline):
            images = await read_images(
                request, hold, max_bytes=settings.max_body_bytes, max_images=settings.max_images
            )
    share: Share = request.state.share
    share.take(len(images))
    return await _answer(request, Asked(images, options, deadline, hold), wanted)


async def _answer(request: Request, asked: Asked, wanted: tuple[str, ...]) -> Response:
    """One document, or the lines of one if the client prefers them."""
    state: State = request.app.state
    models = _models(state.models, asked.options.embeddings)
    names = iter(image.id for image in asked.images)

    def described(outcome: Outcome) -> Document:
        with timed("serialise"):
            return image_document(next(names), outcome, state.pipeline.labels, wanted)

    async def results() -> AsyncGenerator[Document, None]:
        async with aclosing(state.analyst.each(asked)) as outcomes:
            async for outcome in outcomes:
                yield described(outcome)

    kind = asked_for(",".join(request.headers.getlist("accept")))
    if kind is not None:
        lines = written(models, results(), partial(problem_of, request))
        return Lines(request, lines, kind, asked.deadline - time.monotonic() + READING_S)
    outcomes = await unless_gone(request, state.analyst.all(asked))
    answer = {"model": models.model_dump(), "images": [described(o) for o in outcomes]}
    with timed("serialise"):
        return Response(msgspec.json.encode(answer), media_type="application/json")


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


BESIDE = "on the cores that cut faces out, whatever runs the other networks"


def _card(
    spec: ModelSpec,
    *,
    engine: str,
    reason: str,
    precision: str,
    plan: str,
    parity: dict[str, float],
) -> ModelCard:
    return ModelCard(
        name=spec.name,
        task=spec.task,
        version=spec.version,
        licence=spec.licence,
        labels=list(spec.labels),
        engine=engine,
        reason=reason,
        precision=precision,
        batches=list(spec.batches),
        plan=plan,
        same_person=spec.same_person if spec.task == "embedder" else None,
        parity=parity,
    )


@api.get("/models", dependencies=[Depends(authorize)], summary="The models in use")
async def list_models(request: Request) -> ModelCards:
    """Name each model with its plan and how near it is to the reference."""
    models: FoundModels = request.app.state.models
    cards = [
        _card(
            spec,
            engine=models.engine.name,
            reason=models.reason,
            precision=sidecar.fingerprint.precision,
            plan=sidecar.fingerprint.digest,
            parity=sidecar.parity or {},
        )
        for spec, _, sidecar in models.all
    ]
    if models.landmarks:
        spec, _, digest = models.landmarks
        card = _card(
            spec, engine="onnxruntime", reason=BESIDE, precision="fp32", plan=digest, parity={}
        )
        cards.insert(1, card)
    return ModelCards(models=cards)


@probes.get("/livez", summary="The process answers")
async def livez() -> dict[str, bool]:
    """Say that the process is alive, whatever its engines do."""
    return {"live": True}


@probes.get("/readyz", summary="Requests are served", responses={503: {"model": Readiness}})
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


@probes.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Export the metrics in Prometheus' text format."""
    exported: Metrics = request.app.state.metrics
    return Response(exported.render(), media_type=exported.content_type)
