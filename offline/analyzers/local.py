"""An analyzer that runs the networks on this machine."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from analysis.document import ImageResult, image_result
from analysis.errors import ServiceError
from analysis.types import Analysis, Options
from analysis.workers.pipeline import Pipeline
from engines.catalog import SAME_PERSON
from engines.types import U8
from offline.analyzers.types import with_identities
from service.factory import find_models, open_pipeline
from service.settings import Settings
from service.telemetry.metrics import Metrics


@asynccontextmanager
async def open_local(
    settings: Settings, options: Options, *, identify: bool
) -> AsyncIterator["LocalAnalyzer"]:
    """Start the workers; end them at the end of the block.

    Raises:
        EngineError: a plan is missing or does not fit; the message names the command to run.
    """
    models = find_models(settings)
    pipeline = open_pipeline(settings, models, Metrics())
    same_person = models.embedder.spec.same_person if models.embedder else SAME_PERSON
    options = with_identities(options, identify and pipeline.embeds)
    try:
        pipeline.start()
        yield LocalAnalyzer(pipeline, options, same_person)
    finally:
        await pipeline.close()


class LocalAnalyzer:
    """See `Analyzer`."""

    def __init__(self, pipeline: Pipeline, options: Options, same_person: float) -> None:
        self.labels, self.embeds, self.same_person = (pipeline.labels, pipeline.embeds, same_person)
        self._pipeline, self._options = pipeline, options

    def with_options(self, options: Options) -> "LocalAnalyzer":
        """Return an analyzer with the same workers and other options."""
        return LocalAnalyzer(self._pipeline, options, self.same_person)

    async def analyze(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        outcome: Analysis | ServiceError
        try:
            outcome = (await self._pipeline.analyze(data, self._options, math.inf)).outcome
        except ServiceError as error:
            outcome = error
        image = outcome.image if isinstance(outcome, Analysis) else None
        return image_result(name, outcome, self.labels, self.labels), image

    async def analyze_frame(self, name: str, image: U8) -> ImageResult:
        options = self._options._replace(keep_image=False)
        result = await self._pipeline.analyze(image, options, math.inf)
        return image_result(name, result.unwrap(), self.labels, self.labels)
