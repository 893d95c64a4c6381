"""The analysis of one image in one thread, without a service: the limit, and what peers serve.

`python -m bench.limit.work FILE SECONDS` analyzes and decodes one JPEG in plain loops.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from analysis.analyze import analyze
from analysis.image import Image
from analysis.networks import open_networks
from analysis.types import Input, Options
from bench.measure.loops import child
from service.factory import FoundModels, find_models, plans_of
from service.settings import Settings


class Work:
    """Analyzes images with the plans and settings of the service. One thread owns it."""

    def __init__(self, settings: Settings, models: FoundModels, *, device: bool = False) -> None:
        """Open the networks; `device`: with the detector's inputs in front of a device."""
        plans = plans_of(settings, models, device=device)
        self._stack, self._rules = ExitStack(), plans.rules
        self._labels = models.emotion.spec.labels
        self._networks = self._stack.enter_context(open_networks(models.engine, plans))

    @classmethod
    def by_environment(cls) -> Self:
        """Open the networks that the EMOTIONS_... variables name."""
        settings = Settings()
        return cls(settings, find_models(settings))

    def decode(self, body: bytes) -> Image:
        """Decode an image at the resolution that the detector needs."""
        image = Image(body, Options())
        image.decode(self._rules)
        return image

    def answer(self, body: bytes) -> dict[str, Any]:
        """Find the faces of an encoded image, as JSON has them.

        Raises:
            ServiceError: something is wrong with the image.
        """
        [result] = analyze([Input(body, Options())], self._networks)
        found = result.unwrap()
        faces = zip(
            found.faces.boxes.tolist(),
            found.faces.scores.tolist(),
            found.faces.landmarks.tolist(),
            [dict(zip(self._labels, row, strict=True)) for row in found.scores.tolist()],
            strict=True,
        )
        keys = ("box", "score", "landmarks", "scores")
        return {
            "width": found.width,
            "height": found.height,
            "faces": [dict(zip(keys, face, strict=True)) for face in faces],
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def main() -> None:
    """Be one of the processes of `bench.measure.loops.side_by_side`."""
    body = Path(sys.argv[1]).read_bytes()
    with Work.by_environment() as work:
        child(float(sys.argv[2]), lambda: work.answer(body), lambda: work.decode(body))


if __name__ == "__main__":
    main()
