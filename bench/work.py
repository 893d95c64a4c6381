"""The service's own work on one image, in one thread: what limit and peers are measured with."""

import sys
from typing import Any, Self

from service.errors import ServiceError
from service.lane.lane import Lane, Networks, Task
from service.settings import Settings
from service.stages import Options, opened
from service.startup import Models, find_models
from service.wiring import rules_of


class Work(Lane):
    """Decode, detect, cut and classify by the service's functions, plans and settings."""

    labels: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings, models: Models) -> Self:
        """Open the networks; all faces are read here, however many."""
        rules = rules_of(settings, models)
        detector, emotion = models.detector, models.emotion
        networks = Networks((detector.plan, detector.spec), (emotion.plan, emotion.spec), rules)
        work = cls.open(models.engine, networks, few=sys.maxsize)
        work.labels = emotion.spec.labels
        return work

    @classmethod
    def by_environment(cls) -> Self:
        """By the settings of the environment, for the thread that calls."""
        settings = Settings()
        return cls.of(settings, find_models(settings))

    def decode(self, body: bytes) -> None:
        """Decode as much of an image as the networks need."""
        opened(body, Options(), self._rules)

    def answer(self, body: bytes, *, whole: bool = False) -> dict[str, Any]:
        """One encoded image to what a client is told of its faces; `whole` decodes all of it."""
        [(cut, *_)] = self.take([Task(body, Options(keep_image=whole))])
        if isinstance(cut, ServiceError):
            raise cut
        scores = [] if cut.scores is None else cut.scores.tolist()
        told = zip(
            cut.faces.boxes.tolist(),
            cut.faces.scores.tolist(),
            cut.faces.landmarks.tolist(),
            [dict(zip(self.labels, row, strict=True)) for row in scores],
            strict=True,
        )
        keys = ("box", "score", "landmarks", "scores")
        return {
            "width": cut.width,
            "height": cut.height,
            "faces": [dict(zip(keys, face, strict=True)) for face in told],
        }
