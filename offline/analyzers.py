"""Who reads an image's faces: a pipeline of our own, or a service elsewhere."""

import asyncio
import io
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog
from PIL import Image as PillowImage

from analysis import decode
from analysis.document import ImageResult, image_result
from analysis.errors import ServiceError
from analysis.types import Analysis, Options
from analysis.workers.pipeline import Pipeline
from engines.catalog import SAME_PERSON
from engines.types import U8
from service.factory import find_models, open_pipeline
from service.settings import Settings
from service.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from emotions_client import AsyncClient

# Enough to keep the networks' batches full while files are read and pictures are written.
AHEAD = 32
log = structlog.get_logger("emotions.readers")


class RemoteError(Exception):
    """The service elsewhere gives no answers."""


class Reader(Protocol):
    """Reads the faces of one image after the other; up to `AHEAD` at once."""

    labels: tuple[str, ...]
    embeds: bool
    same_person: float  # see `ModelSpec`

    async def read(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        """Give the result, and the upright pixels if they were asked for.

        Raises:
            RemoteError: no answer is to be had, to this image or any other.
        """

    async def look(self, name: str, image: U8) -> ImageResult:
        """Read a frame of a video, with embeddings as `opened` was told.

        Raises:
            RemoteError: as `read`.
            ServiceError: this frame cannot be read.
        """


def opened(
    settings: Settings,
    options: Options,
    url: str | None = None,
    *,
    identify: bool = False,
    follow: bool = True,
) -> AbstractAsyncContextManager[Reader]:
    """Open the reader at `url`, or one here.

    Where there is an embedder, `identify` adds embeddings to what `read` gives, and `follow` to
    what `look` gives. Nothing but these and `options` has any computed.

    Raises:
        EngineError: see `local`.
        RemoteError: see `remote`.
    """
    wanted = _Wanted(options, identify, follow)
    return remote(url, settings, wanted) if url else local(settings, wanted)


class _Wanted(NamedTuple):
    options: Options
    identify: bool
    follow: bool

    def to_read(self, embeds: bool) -> Options:
        options = self.options
        return options._replace(embeddings=options.embeddings or (self.identify and embeds))

    def to_look(self, embeds: bool) -> Options:
        embeddings = self.options.embeddings or (self.follow and embeds)
        return self.options._replace(embeddings=embeddings, keep_image=False)


@asynccontextmanager
async def local(settings: Settings, wanted: _Wanted) -> AsyncIterator[Reader]:
    """Open a pipeline.

    Raises:
        EngineError: a plan is missing or does not fit; the message names the command to run.
    """
    models = find_models(settings)
    pipeline = open_pipeline(settings, models, Metrics())
    pipeline.start()
    same_person = models.embedder.spec.same_person if models.embedder else SAME_PERSON
    try:
        yield _Local(pipeline, wanted, same_person)
    finally:
        await pipeline.close()


class _Local:
    def __init__(self, pipeline: Pipeline, wanted: _Wanted, same_person: float) -> None:
        self._pipeline, self.same_person = pipeline, same_person
        self.labels, self.embeds = pipeline.labels, pipeline.embeds
        self._to_read, self._to_look = wanted.to_read(self.embeds), wanted.to_look(self.embeds)

    async def read(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        outcome: Analysis | ServiceError
        try:
            outcome = (await self._pipeline.analyze(data, self._to_read, math.inf)).outcome
        except ServiceError as error:
            outcome = error
        image = outcome.image if isinstance(outcome, Analysis) else None
        return image_result(name, outcome, self.labels, self.labels), image

    async def look(self, name: str, image: U8) -> ImageResult:
        result = await self._pipeline.analyze(image, self._to_look, math.inf)
        outcome = result.unwrap()
        return image_result(name, outcome, self.labels, self.labels)


@asynccontextmanager
async def remote(url: str, settings: Settings, wanted: _Wanted) -> AsyncIterator[Reader]:
    """Connect to the service at `url`, with the first of the settings' API keys.

    Raises:
        RemoteError: it does not answer or refuses, or the client is not installed.
    """
    try:
        from emotions_client import AsyncClient, EmotionsError  # noqa: PLC0415
    except ImportError as error:
        raise RemoteError("--url needs the client; `pip install ./client` brings it") from error

    # A key may stand after its name, see `keyring`.
    given = [key.get_secret_value().rpartition(":")[2] for key in settings.api_keys[:1]]
    async with AsyncClient(url, key=next(iter(given), None)) as client:
        try:
            models = {model.task: model for model in await client.models()}
        except EmotionsError as error:
            raise RemoteError(f"{url}: {error}") from error
        limits = decode.ImageLimits(settings.max_image_bytes, settings.max_pixels)
        embeds = "embedder" in models
        yield _Remote(
            url,
            client,
            labels=models["emotion"].labels,
            embeds=embeds,
            same_person=(embeds and models["embedder"].same_person) or SAME_PERSON,
            wanted=wanted,
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
        wanted: _Wanted,
        limits: decode.ImageLimits,
    ) -> None:
        self.labels, self.embeds, self.same_person = labels, embeds, same_person
        self._url, self._client, self._limits = url, client, limits
        self._to_read, self._to_look = wanted.to_read(embeds), wanted.to_look(embeds)

    async def read(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        result = await self._ask(name, data, self._to_read)
        if result.error or not self._to_read.keep_image:
            return result, None
        try:
            return result, await asyncio.to_thread(decode.decode, data, self._limits)
        except ServiceError as error:  # the limits there may be wider; its answer stands
            log.warning("picture.left_out", detail=str(error))
            return result, None

    async def look(self, name: str, image: U8) -> ImageResult:
        encoded = await asyncio.to_thread(_jpeg, image)
        result = await self._ask(name, encoded, self._to_look)
        if result.error:  # of this frame alone; what is wrong with the service is raised above
            raise ServiceError(result.error.detail)
        return result

    async def _ask(self, name: str, data: bytes, options: Options) -> ImageResult:
        from emotions_client import EmotionsError, Image  # noqa: PLC0415

        asked = self._client.stream(
            [Image(name, data)],
            min_score=options.min_score,
            max_faces=options.max_faces,
            embeddings=options.embeddings,
        )
        try:
            (found,) = [result async for result in asked]
        except EmotionsError as error:
            raise RemoteError(f"{self._url}: {error}") from error
        return ImageResult.model_validate(found, from_attributes=True)


def _jpeg(image: U8) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(image).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
