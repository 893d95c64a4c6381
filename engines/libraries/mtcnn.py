"""MTCNN as the package `mtcnn` has it, on TensorFlow.

K. Zhang et al., "Joint face detection and alignment using multitask cascaded convolutional
networks", IEEE Signal Processing Letters 23(10), 2016, arXiv 1604.02878.
"""

import importlib.metadata
import importlib.util
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from engines.catalog import ModelSpec
from engines.errors import LibraryMissingError, RunnerError
from engines.libraries.types import Found, outputs
from engines.types import U8, Array, Feeds, Runner

PACKAGES = ("mtcnn", "tensorflow")
# The order of our landmarks; left is left in the image.
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


class Mtcnn:
    """The library; see `engines.libraries.types.Library`."""

    name = "mtcnn"

    def version(self) -> str:
        """The package's version."""
        self._require()
        return importlib.metadata.version("mtcnn")

    def weights(self) -> tuple[Path, ...]:
        """The weights of its three networks; they come with the package."""
        self._require()
        spec = importlib.util.find_spec("mtcnn")
        folder = Path(str(spec and spec.origin)).parent / "assets" / "weights"
        return tuple(folder / f"{name}.lz4" for name in ("pnet", "rnet", "onet"))

    def open(self, spec: ModelSpec) -> "MtcnnRunner":
        """Load the three networks from the package."""
        self._require()
        return MtcnnRunner(spec)

    def _require(self) -> None:
        for package in PACKAGES:
            if importlib.util.find_spec(package) is None:
                raise LibraryMissingError(
                    f"the detector mtcnn needs {package}: run `pip install '.[mtcnn]'`, best in a "
                    "separate environment"
                )


class MtcnnRunner(Runner):
    """Runs the three networks image by image, in one thread."""

    def __init__(self, spec: ModelSpec) -> None:
        self._input = spec.input_name
        self._detector = _detector()

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`."""
        try:
            return outputs([self._detect(image) for image in feeds[self._input]])
        except Exception as error:  # TensorFlow's errors have no common base class
            raise RunnerError(f"mtcnn failed: {error}") from error

    def _detect(self, image: U8) -> Found:
        faces = self._detector.detect_faces(image, box_format="xyxy", fit_to_image=False)
        boxes = [face["box"] for face in faces]
        points = [[face["keypoints"][name] for name in POINTS] for face in faces]
        scores = [face["confidence"] for face in faces]
        return Found(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(points, np.float32).reshape(-1, 5, 2),
            np.array(scores, np.float32).reshape(-1),
        )

    def __exit__(self, *error: object) -> None:
        del self._detector


@cache
def _detector() -> Any:
    """Return the networks of this process, which take images of any size."""
    import keras  # noqa: PLC0415  (optional)
    import tensorflow as tf  # noqa: PLC0415  (optional, and slow to import)
    from mtcnn import MTCNN  # noqa: PLC0415

    if keras.backend.backend() != "tensorflow":
        raise LibraryMissingError("the detector mtcnn needs KERAS_BACKEND=tensorflow")
    # There is a worker per core. In a program that has used TensorFlow before, its number stays.
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return MTCNN(device="CPU:0")
