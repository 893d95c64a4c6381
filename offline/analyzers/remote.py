"""An analyzer that sends the images to a service."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from PIL import Image as PillowImage
from pydantic import ValidationError

from analysis.decode import decode
from analysis.document import ImageResult
from analysis.errors import ServiceError
from analysis.limits import ImageLimits
from analysis.types import Options
from engines.catalog import SAME_PERSON
from engines.types import U8
from offline.analyzers.types import with_identities
from offline.concurrency import in_thread
from offline.errors import MissingExtraError, RemoteError
from service.settings import Settings

if TYPE_CHECKING:
    from emotions_client import AsyncClient, Model

JPEG_QUALITY = 95
OTHER_VERSION = "the service runs an earlier version than this command; update it"
log = structlog.get_logger("emotions.predict")


@asynccontextmanager
async def open_remote(
    url: str, settings: Settings, options: Options, *, identify: bool
) -> AsyncIterator["RemoteAnalyzer"]:
    """Connect to the service at `url` with the first API key of the settings.

    Raises:
        MissingExtraError: the client is not installed.
        RemoteError: the service does not answer, or it rejects the key.
    """
    if not url.startswith(("http://", "https://")):
        raise RemoteError(f"--url takes http:// or https://, not {url}")
    try:
        from emotions_client import AsyncClient  # noqa: PLC0415  (a distribution of its own)
    except ImportError as error:
        raise MissingExtraError(
            "--url needs the client; `.venv/bin/pip install ./client` installs it"
        ) from error
    async with AsyncClient(url, key=_first_key(settings)) as client:
        models = await _models(client, url)
        limits = ImageLimits(settings.max_image_bytes, settings.max_pixels)
        options = with_identities(options, identify and "embedder" in models)
        yield RemoteAnalyzer(url, client, models, options, limits)


class RemoteAnalyzer:
    """See `Analyzer`."""

    def __init__(
        self,
        url: str,
        client: "AsyncClient",
        models: "dict[str, Model]",
        options: Options,
        limits: ImageLimits,
    ) -> None:
        self.labels, self.embeds = models["emotion"].labels, "embedder" in models
        self.same_person = (self.embeds and models["embedder"].same_person) or SAME_PERSON
        self._url, self._client = url, client
        self._options, self._limits = options, limits

    async def analyze(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        result = await self._request(name, data)
        if result.error or not self._options.keep_image:
            return result, None
        try:
            return result, await in_thread(decode, data, self._limits)
        except ServiceError as error:  # the service may have wider limits; its result stands
            log.warning("picture.skipped", detail=str(error))
            return result, None

    async def analyze_frame(self, name: str, image: U8) -> ImageResult:
        result = await self._request(name, await in_thread(_jpeg, image))
        if result.error:  # an error of this frame alone; errors of the service are `RemoteError`
            raise ServiceError(result.error.detail)
        return result

    async def _request(self, name: str, data: bytes) -> ImageResult:
        from emotions_client import EmotionsError, Image  # noqa: PLC0415  (see `open_remote`)

        options = self._options
        answer = self._client.stream(
            [Image(name, data)],
            min_score=options.min_score,
            max_faces=options.max_faces,
            min_face=options.min_face,
            orientation=options.orientation,
            min_quality=options.min_quality,
            embeddings=options.embeddings,
        )
        try:
            (result,) = [result async for result in answer]
        except EmotionsError as error:
            raise RemoteError(f"{self._url}: {error}") from error
        try:
            return ImageResult.model_validate(result, from_attributes=True)
        except ValidationError as error:
            raise RemoteError(f"{self._url}: {OTHER_VERSION}") from error


async def _models(client: "AsyncClient", url: str) -> "dict[str, Model]":
    """Return the models of the service by task."""
    from emotions_client import EmotionsError  # noqa: PLC0415  (see `open_remote`)

    try:
        return {model.task: model for model in await client.models()}
    except EmotionsError as error:
        raise RemoteError(f"{url}: {error}") from error


def _first_key(settings: Settings) -> str | None:
    """Return the first API key, without the name that may stand before it (`NAME:KEY`)."""
    for key in settings.api_keys:
        return key.get_secret_value().rpartition(":")[2]
    return None


def _jpeg(image: U8) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
