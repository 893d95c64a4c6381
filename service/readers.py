"""Who reads an image's faces: a pipeline of our own, or a service elsewhere."""

import asyncio
import io
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from engines.catalog import SAME_PERSON
from service import image as images
from service.errors import ServiceError
from service.metrics import Metrics
from service.pipeline import Analysis, Pipeline
from service.schemas import ImageResult, image_result
from service.settings import Settings
from service.stages import Options
from service.startup import find_models
from service.wiring import open_pipeline

if TYPE_CHECKING:
    from emotions_client import AsyncClient

U8 = NDArray[np.uint8]
# Enough to keep the networks' batches full while files are read and pictures are written.
AHEAD = 32


class RemoteFailed(Exception):
    """The service elsewhere gives no answers."""


class Reader(Protocol):
    """Reads the faces of one image after the other; up to `AHEAD` at once."""

    labels: tuple[str, ...]
    embeds: bool
    same_person: float  # see `ModelSpec`

    async def read(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        """Give the result, and the upright pixels if they were asked for.

        Raises:
            RemoteFailed: no answer is to be had, to this image or any other.
        """

    async def look(self, name: str, image: U8) -> ImageResult:
        """Read a frame of a video, with embeddings where there is an embedder.

        Raises:
            RemoteFailed: as `read`.
            ServiceError: the networks fail on this frame.
        """


def opened(
    settings: Settings, options: Options, url: str | None = None, *, identify: bool = False
) -> AbstractAsyncContextManager[Reader]:
    """Open the reader at `url`, or one here; `identify` adds embeddings where there is an embedder.

    Raises:
        EngineError: see `local`.
        RemoteFailed: see `remote`.
    """
    if url:
        return remote(url, settings, options, identify)
    return local(settings, options, identify)


@asynccontextmanager
async def local(settings: Settings, options: Options, identify: bool) -> AsyncIterator[Reader]:
    """Open a pipeline.

    Raises:
        EngineError: a plan is missing or does not fit; the message names the command to run.
    """
    models = find_models(settings)
    pipeline = open_pipeline(settings, models, Metrics(), isolated=settings.isolate)
    pipeline.start()
    embeds = pipeline.embedder is not None
    embeddings = options.embeddings or (identify and embeds)
    same_person = models.embedder.spec.same_person if models.embedder else SAME_PERSON
    try:
        yield _Local(pipeline, options._replace(embeddings=embeddings), same_person)
    finally:
        await asyncio.to_thread(pipeline.close)


class _Local:
    def __init__(self, pipeline: Pipeline, options: Options, same_person: float) -> None:
        self._pipeline, self._options, self.same_person = pipeline, options, same_person
        self.labels, self.embeds = pipeline.labels, pipeline.embedder is not None

    async def read(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        outcome: Analysis | ServiceError
        try:
            outcome = await self._pipeline.analyze(data, self._options, math.inf)
        except ServiceError as error:
            outcome = error
        image = outcome.image if isinstance(outcome, Analysis) else None
        return image_result(name, outcome, self.labels, self.labels), image

    async def look(self, name: str, image: U8) -> ImageResult:
        options = self._options._replace(embeddings=self.embeds, keep_image=False)
        outcome = await self._pipeline.analyze_pixels(image, options, math.inf)
        return image_result(name, outcome, self.labels, self.labels)


@asynccontextmanager
async def remote(
    url: str, settings: Settings, options: Options, identify: bool
) -> AsyncIterator[Reader]:
    """Connect to the service at `url`, with the first of the settings' API keys.

    Raises:
        RemoteFailed: it does not answer or refuses, or the client is not installed.
    """
    try:
        from emotions_client import AsyncClient, EmotionsError  # noqa: PLC0415
    except ImportError as error:
        raise RemoteFailed("--url needs the client; `pip install ./client` brings it") from error

    # A key may stand after its name, see `keyring`.
    given = [key.get_secret_value().rpartition(":")[2] for key in settings.api_keys[:1]]
    async with AsyncClient(url, key=next(iter(given), None)) as client:
        try:
            models = {model.task: model for model in await client.models()}
        except EmotionsError as error:
            raise RemoteFailed(f"{url}: {error}") from error
        limits = images.ImageLimits(settings.max_image_bytes, settings.max_pixels)
        embeds = "embedder" in models
        yield _Remote(
            url,
            client,
            labels=models["emotion"].labels,
            embeds=embeds,
            same_person=(embeds and models["embedder"].same_person) or SAME_PERSON,
            options=options._replace(embeddings=options.embeddings or (identify and embeds)),
            limits=limits,
        )


class _Remote:
    def __init__(
        self,
        url: str,
        client: "AsyncClient",
        *,
        labels: tuple[str, ...],
        embeds: bool,
        same_person: float,
        options: Options,
        limits: images.ImageLimits,
    ) -> None:
        self.labels, self.embeds, self.same_person = labels, embeds, same_person
        self._url, self._client = url, client
        self._options, self._limits = options, limits

    async def read(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        result = await self._ask(name, data, self._options.embeddings)
        if result.error or not self._options.keep_image:
            return result, None
        return result, await asyncio.to_thread(images.decode, data, self._limits)

    async def look(self, name: str, image: U8) -> ImageResult:
        encoded = await asyncio.to_thread(_jpeg, image)
        result = await self._ask(name, encoded, self.embeds)
        if result.error:
            raise RemoteFailed(f"{name}: {result.error.detail}")
        return result

    async def _ask(self, name: str, data: bytes, embeddings: bool) -> ImageResult:
        from emotions_client import EmotionsError, Image  # noqa: PLC0415

        asked = self._client.stream(
            [Image(name, data)],
            min_score=self._options.min_score,
            max_faces=self._options.max_faces,
            embeddings=embeddings,
        )
        try:
            (found,) = [result async for result in asked]
        except EmotionsError as error:
            raise RemoteFailed(f"{self._url}: {error}") from error
        return ImageResult.model_validate(found, from_attributes=True)


def _jpeg(image: U8) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(image).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
