"""The analysis of one image in one thread, without a service: what `limit` and `peers` measure."""

from contextlib import ExitStack
from typing import Any, Self

from analysis.analyze import Task, analyze
from analysis.errors import ServiceError
from analysis.image import Image
from analysis.networks import opened
from analysis.types import Options
from service.factory import Models, find_models, plans_of
from service.settings import Settings


class Work:
    """Analyzes images with the plans and settings of the service; used by one thread."""

    def __init__(self, settings: Settings, models: Models) -> None:
        """Open the networks."""
        plans = plans_of(settings, models)
        self._stack, self._rules = ExitStack(), plans.rules
        self._labels = models.emotion.spec.labels
        self._networks = self._stack.enter_context(opened(models.engine, plans))

    @classmethod
    def by_environment(cls) -> Self:
        """Open the networks that the environment's settings name."""
        settings = Settings()
        return cls(settings, find_models(settings))

    def decode(self, body: bytes) -> None:
        """Decode as much of an image as the detector needs."""
        Image(body, Options()).decode(self._rules)

    def answer(self, body: bytes, *, whole: bool = False) -> dict[str, Any]:
        """Find the faces of an encoded image, as JSON has them; `whole` decodes all of it.

        Raises:
            ServiceError: something is wrong with the image.
        """
        [result] = analyze([Task(body, Options(keep_image=whole))], self._networks)
        outcome = result.outcome
        if isinstance(outcome, ServiceError):
            raise outcome
        faces = zip(
            outcome.faces.boxes.tolist(),
            outcome.faces.scores.tolist(),
            outcome.faces.landmarks.tolist(),
            [dict(zip(self._labels, row, strict=True)) for row in outcome.scores.tolist()],
            strict=True,
        )
        keys = ("box", "score", "landmarks", "scores")
        return {
            "width": outcome.width,
            "height": outcome.height,
            "faces": [dict(zip(keys, face, strict=True)) for face in faces],
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
