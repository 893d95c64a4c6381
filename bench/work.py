"""The service's own work on one image, in one thread: what limit and peers are measured with."""

from types import TracebackType
from typing import Any

import numpy as np

from engines import verify
from service.alignment import FER_SIZE, fer_crop, too_small
from service.detection import letterbox, select
from service.image import ImageLimits, decode, open_picture
from service.settings import Settings
from service.startup import Models, find_models


class Work:
    """Decode, detect, cut and classify by the service's functions, plans and settings."""

    def __init__(self, settings: Settings, models: Models) -> None:
        self._settings = settings
        self._limits = ImageLimits(settings.max_image_bytes, settings.max_pixels)
        self._size = verify.input_size(models.detector.spec)
        self._labels = models.emotion.spec.labels
        self._detector = models.engine.open(models.detector.plan, models.detector.spec)
        self._emotion = models.engine.open(models.emotion.plan, models.emotion.spec)

    @classmethod
    def open(cls) -> "Work":
        """By the settings of the environment, for the thread that calls."""
        settings = Settings()
        return cls(settings, find_models(settings))

    def answer(self, body: bytes, *, whole: bool = False) -> dict[str, Any]:
        """One encoded image to what a client is told of its faces; `whole` decodes all of it."""
        picture = open_picture(body, self._limits, None if whole else max(self._size))
        image = picture.pixels
        canvas, box = letterbox(image, self._size)
        rows = self._detector.infer({"images": canvas[None]})
        faces = select(
            {name: array[0] for name, array in rows.items()},
            box,
            min_score=self._settings.min_score,
            nms_iou=self._settings.nms_iou,
            max_faces=self._settings.max_faces,
        )
        height, width = image.shape[:2]
        found = faces.scaled(picture.width / width, picture.height / height)
        if picture.reduced and too_small(faces.boxes, FER_SIZE):
            image, faces = decode(body, self._limits), found
        scores: list[list[float]] = []
        if len(faces.boxes):
            crops = np.stack([fer_crop(image, face) for face in faces.boxes])
            scores = self._emotion.infer({"faces": crops})["scores"].tolist()
        named = [dict(zip(self._labels, row, strict=True)) for row in scores]
        told = zip(
            found.boxes.tolist(),
            found.scores.tolist(),
            found.landmarks.tolist(),
            named,
            strict=True,
        )
        keys = ("box", "score", "landmarks", "scores")
        return {
            "width": picture.width,
            "height": picture.height,
            "faces": [dict(zip(keys, face, strict=True)) for face in told],
        }

    def __enter__(self) -> "Work":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._detector.__exit__(kind, error, trace)
        self._emotion.__exit__(kind, error, trace)
