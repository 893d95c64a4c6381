"""The deployment that analyzes images; each replica has its own pipeline."""

import asyncio
import time
from typing import NamedTuple, cast

from ray import serve

from analysis.errors import ServiceError
from analysis.timing import Sample
from analysis.types import Options, Result
from analysis.workers.heartbeats import OPEN_LIMIT_S
from engines.errors import EngineError
from engines.types import Engine
from service.factory import FoundModels, find_models, open_pipeline
from service.settings import Settings
from service.telemetry.logs import configure
from service.telemetry.metrics import Metrics

POLL_S = 0.05


class EngineName(NamedTuple):
    """The name of an engine, for a process that does not run it."""

    name: str


class Analysis:
    """Analyzes encoded images with worker processes, which may die without harm to the replica."""

    async def __init__(  # type: ignore[misc]  # Ray awaits it
        self, settings: Settings
    ) -> None:
        """Start the workers, and wait until they have opened their networks.

        Raises:
            EngineError: a plan is missing, or no worker starts; the message names the fix.
        """
        configure(settings)
        self._models = find_models(settings)
        self._metrics = Metrics()
        self._pipeline = open_pipeline(settings, self._models, self._metrics)
        self._pipeline.start()
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                while not self._ready:  # noqa: ASYNC110  (processes start)
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            await self._pipeline.close()
            raise EngineError("no worker starts; see the log lines above") from error

    @property
    def _ready(self) -> bool:
        return all(self._pipeline.ready.values())

    async def analyze(self, source: bytes, options: Options, seconds: float) -> Result:
        """Find the faces of an image within `seconds`.

        Every error is the outcome of the result: Ray would add a traceback to the message of one
        that is raised. The times of the samples are relative to the end of this call.
        """
        deadline = time.monotonic() + seconds
        try:
            found = await self._pipeline.analyze(source, options, deadline)
        except ServiceError as error:
            return Result(error, [])
        return Result(found.outcome, moved(found.samples, -time.monotonic()))

    async def models(self) -> FoundModels:
        """Return the models, with only the name of their engine."""
        name = EngineName(self._models.engine.name)
        return self._models._replace(engine=cast("Engine", name))

    async def ready(self) -> dict[str, bool]:
        """For each network, whether a worker is ready to run it."""
        return self._pipeline.ready

    async def metrics(self) -> tuple[str, str]:
        """Return the name of this replica, and its metrics in the text format of Prometheus."""
        return serve.get_replica_context().replica_tag, self._metrics.render().decode()

    def check_health(self) -> None:
        """Let Ray replace this replica if its workers stay down.

        Raises:
            EngineError: no worker is ready.
        """
        if not self._ready:
            raise EngineError("no worker is ready")

    async def __del__(self) -> None:
        """End the workers; Ray awaits this after the last answer."""
        if hasattr(self, "_pipeline"):
            await self._pipeline.close()


def moved(samples: list[Sample], seconds: float) -> list[Sample]:
    """Return the samples on another clock: later by `seconds`."""
    return [Sample(stage, started + seconds, ended + seconds) for stage, started, ended in samples]
