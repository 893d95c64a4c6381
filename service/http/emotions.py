"""`POST /v1/emotions`: from a request to its answer."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

import msgspec
from fastapi import Request, Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from analysis.document import Document, image_document
from service.factory import FoundModels
from service.http.accept import JSON, preferred_line_type
from service.http.admission import Admission, Reservation
from service.http.auth import authorize
from service.http.body import read_images
from service.http.cancellation import cancel_at, cancel_on_disconnect
from service.http.documents import Models
from service.http.images import AnalysisRequest, Outcome, RequestAnalyzer
from service.http.parameters import choose_labels, parse_query, time_limit
from service.http.problems import describe
from service.http.streaming import JsonLines, encode_lines
from service.http.types import RequestImage
from service.options import default_options
from service.settings import Settings
from service.telemetry.stats import timed

PATH = "/v1/emotions"
# Seconds after the deadline for the client to read the last lines.
READ_S = 5


class EmotionsRoute(Route):
    """A route of Starlette: a route of FastAPI takes more time than all of `Emotions`."""

    def __init__(self, emotions: "Emotions") -> None:
        super().__init__(PATH, emotions, methods=["POST"])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return match, {**found, "route": self}  # the middleware reads its path


class Emotions:
    """ASGI application that answers with the faces of each image, in the order of the request."""

    def __init__(
        self,
        settings: Settings,
        models: FoundModels,
        analyzer: RequestAnalyzer,
        admission: Admission,
    ) -> None:
        self._settings = settings
        self._defaults = default_options(settings)
        self._labels = models.emotion.spec.labels
        self._models = _names(models, embeddings=False)
        self._models_with_embedder = _names(models, embeddings=True)
        self._analyzer = analyzer
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        key = await authorize(request)
        query = parse_query(request)
        labels = choose_labels(query.labels, self._labels)
        deadline = time.monotonic() + time_limit(request, self._settings.deadline_s)
        with self._admission.admit(key, deadline) as reservation:
            async with cancel_at(deadline):
                images = await self._read(request, reservation)
                work = AnalysisRequest(images, query.options(self._defaults), deadline, reservation)
                answer = await self._answer(request, work, labels)
            await answer(scope, receive, send)

    async def _read(self, request: Request, reservation: Reservation) -> list[RequestImage]:
        settings = self._settings
        with timed("read"):
            images = await read_images(
                request,
                reservation.add_bytes,
                max_bytes=settings.max_body_bytes,
                max_images=settings.max_images,
            )
        reservation.add_images(len(images))
        return images

    async def _answer(
        self, request: Request, work: AnalysisRequest, labels: tuple[str, ...]
    ) -> Response:
        """Answer with one document, or with JSON Lines if the client prefers them."""
        models = self._models_with_embedder if work.options.embeddings else self._models
        ids = iter(image.id for image in work.images)

        def document(outcome: Outcome) -> Document:
            with timed("serialise"):
                return image_document(next(ids), outcome, self._labels, labels)

        async def documents() -> AsyncGenerator[Document, None]:
            async with aclosing(self._analyzer.each(work)) as outcomes:
                async for outcome in outcomes:
                    yield document(outcome)

        media_type = preferred_line_type(",".join(request.headers.getlist("accept")))
        if media_type is not None:
            lines = encode_lines(models, documents(), partial(describe, request))
            timeout_s = work.deadline - time.monotonic() + READ_S
            return JsonLines(request, lines, media_type, timeout_s)
        outcomes = await cancel_on_disconnect(request, self._analyzer.all(work))
        answer = {"model": models.model_dump(), "images": [document(each) for each in outcomes]}
        with timed("serialise"):
            return Response(msgspec.json.encode(answer), media_type=JSON)


def _names(models: FoundModels, *, embeddings: bool) -> Models:
    embedder = models.embedder if embeddings else None
    return Models(
        detector=models.detector.spec.name,
        landmarks=models.landmarks.spec.name if models.landmarks else None,
        emotion=models.emotion.spec.name,
        embedder=embedder.spec.name if embedder else None,
        backend=models.engine.name,
    )
