"""`POST /v1/emotions`: from a request to its answer."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

import msgspec
from fastapi import Request, Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from analysis.document import Document, Models, image_document
from analysis.types import Options
from service.errors import InvalidRequestError
from service.factory import Models as FoundModels
from service.http.admission import Admission, Admitted
from service.http.auth import authorize
from service.http.body import Sent, read_images
from service.http.images import Analyst, Asked, Outcome
from service.http.parameters import Query, query, time_limit
from service.http.problems import problem_of
from service.http.streaming import Lines, asked_for, written
from service.http.waiting import unless_gone, until
from service.settings import Settings
from service.telemetry.record import timed

PATH = "/v1/emotions"
# Time past a request's deadline for the last lines to be read.
READING_S = 5


class EmotionsRoute(Route):
    """Starlette's plain route: FastAPI's takes longer than everything that `Emotions` does."""

    def __init__(self, emotions: "Emotions") -> None:
        super().__init__(PATH, emotions, methods=["POST"])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}  # metrics and log read its path


class Emotions:
    """ASGI application that answers with the faces of each image, in the order of the request."""

    def __init__(
        self, settings: Settings, models: FoundModels, analyst: Analyst, admission: Admission
    ) -> None:
        self._settings = settings
        self._labels = models.emotion.spec.labels
        self._plain, self._embedding = _names(models, False), _names(models, True)
        self._analyst = analyst
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        key = await authorize(request)
        wanted = query(request)
        labels = _subset(wanted.labels, self._labels)
        deadline = time.monotonic() + time_limit(request, self._settings.deadline_s)
        with self._admission.enter(key, deadline) as admitted:
            async with until(deadline):
                images = await self._read(request, admitted)
                asked = Asked(images, self._options(wanted), deadline, admitted)
                answer = await self._answer(request, asked, labels)
            await answer(scope, receive, send)

    def _options(self, wanted: Query) -> Options:
        settings = self._settings
        return Options(
            settings.min_score if wanted.min_score is None else wanted.min_score,
            settings.max_faces if wanted.max_faces is None else wanted.max_faces,
            wanted.embeddings,
        )

    async def _read(self, request: Request, admitted: Admitted) -> list[Sent]:
        settings = self._settings
        with timed("read"):
            images = await read_images(
                request,
                admitted.hold,
                max_bytes=settings.max_body_bytes,
                max_images=settings.max_images,
            )
        admitted.take(len(images))
        return images

    async def _answer(self, request: Request, asked: Asked, labels: tuple[str, ...]) -> Response:
        """Answer with one document, or with lines if the client prefers them."""
        models = self._embedding if asked.options.embeddings else self._plain
        names = iter(image.id for image in asked.images)

        def described(outcome: Outcome) -> Document:
            with timed("serialise"):
                return image_document(next(names), outcome, self._labels, labels)

        async def results() -> AsyncGenerator[Document, None]:
            async with aclosing(self._analyst.each(asked)) as outcomes:
                async for outcome in outcomes:
                    yield described(outcome)

        kind = asked_for(",".join(request.headers.getlist("accept")))
        if kind is not None:
            lines = written(models, results(), partial(problem_of, request))
            return Lines(request, lines, kind, asked.deadline - time.monotonic() + READING_S)
        outcomes = await unless_gone(request, self._analyst.all(asked))
        answer = {"model": models.model_dump(), "images": [described(o) for o in outcomes]}
        with timed("serialise"):
            return Response(msgspec.json.encode(answer), media_type="application/json")


def _names(models: FoundModels, embeddings: bool) -> Models:
    embedder = models.embedder if embeddings else None
    return Models(
        detector=models.detector.spec.name,
        landmarks=models.landmarks.spec.name if models.landmarks else None,
        emotion=models.emotion.spec.name,
        embedder=embedder.spec.name if embedder else None,
        backend=models.engine.name,
    )


def _subset(labels: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels that the client wants, in its order.

    Raises:
        InvalidRequestError: an unknown label, or one twice.
    """
    if labels is None:
        return known
    wanted = tuple(label.strip() for label in labels.split(","))
    unknown = [label for label in wanted if label not in known]
    if unknown or len(set(wanted)) < len(wanted):
        raise InvalidRequestError(f"labels: each one once, out of {', '.join(known)}")
    return wanted
