"""OpenCV's cascade of Haar features for frontal faces.

P. Viola, M. Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001.
"""

from pathlib import Path

import cv2
import numpy as np

from engines.catalog import ModelSpec
from engines.errors import LibraryMissingError, PlanDamagedError, RunnerError
from engines.libraries.types import Found, outputs
from engines.types import U8, Array, Feeds, Runner

CASCADE = "haarcascade_frontalface_default.xml"
# Each step of the search is larger by this factor: OpenCV's default.
STEP = 1.1
# A face that n windows agree on has the score n / (n + EVEN). OpenCV's default, `minNeighbors=3`,
# accepts more than 3 windows, which is a score of 0.5.
EVEN = 4
# Faces of more windows than this are found; with 0, OpenCV would not group the windows.
LEAST_WINDOWS = 1


class Haar:
    """The library; see `engines.libraries.types.Library`."""

    name = "opencv"

    def version(self) -> str:
        """OpenCV's version."""
        return str(cv2.__version__)

    def weights(self) -> tuple[Path, ...]:
        """The cascade in OpenCV's package."""
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder) / CASCADE
        if not path.is_file():
            raise LibraryMissingError(
                f"OpenCV {cv2.__version__} has no Haar cascades; "
                "run `pip install 'opencv-python-headless<5'`"
            )
        return (path,)

    def open(self, spec: ModelSpec) -> "HaarRunner":
        """Load the cascade."""
        (path,) = self.weights()
        return HaarRunner(path, spec)


class HaarRunner(Runner):
    """Runs the cascade image by image. All landmarks of a face are in the middle of its box."""

    def __init__(self, weights: Path, spec: ModelSpec) -> None:
        self._input = spec.input_name
        self._cascade = cv2.CascadeClassifier()
        if not self._cascade.load(str(weights)):
            raise PlanDamagedError(f"OpenCV does not load {weights}; install OpenCV again")

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`."""
        try:
            return outputs([self._detect(image) for image in feeds[self._input]])
        except cv2.error as error:
            raise RunnerError(f"OpenCV failed: {error}") from error

    def _detect(self, image: U8) -> Found:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        found, windows = self._cascade.detectMultiScale2(grey, STEP, LEAST_WINDOWS)
        boxes = np.array(found, np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        middles = boxes.reshape(-1, 2, 2).mean(axis=1)
        counts = np.array(windows, np.float32).reshape(-1)
        return Found(boxes, np.repeat(middles[:, None], 5, axis=1), counts / (counts + EVEN))

    def __exit__(self, *error: object) -> None:
        del self._cascade
