"""Helpers of the tests in this folder: golden files, graphs in ONNX Runtime, photographs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from tensorrtx.weights import Weights
from tests import photographs
from tests.data.seeded_weights import seeded

Array = NDArray[Any]
FOLDER = Path(__file__).parents[1] / "data" / "golden"
SHARED = Path(__file__).parents[3] / "shared" / "weights"
MEAN_BGR = np.array([104, 117, 123], np.float32)


def load(name: str) -> dict[str, Array]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


def seeded_tensors(golden: Mapping[str, Array]) -> dict[str, Array]:
    """The weights that a golden file's outputs were computed with."""
    gain = float(golden["gain"])
    shapes = (tuple(map(int, shape.split(","))) for shape in golden["shapes"].tolist())
    return {
        name: seeded(name, shape, prelu="relu" in name, gain=gain)
        for name, shape in zip(golden["names"].tolist(), shapes, strict=True)
    }


def seeded_weights(golden: Mapping[str, Array]) -> Weights:
    return Weights(seeded_tensors(golden), "seeded")


def shared(name: str) -> Path:
    """A file beside the repository, or a skipped test."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{name} lies in ../shared, which is not here")
    return path


class Session:
    """A graph run by ONNX Runtime on one thread."""

    def __init__(self, model: onnx.ModelProto | Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        source = str(model) if isinstance(model, Path) else model.SerializeToString()
        self._session = onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])

    def __call__(self, batch: Array) -> list[Array]:
        outputs: list[Array] = self._session.run(None, {self._session.get_inputs()[0].name: batch})
        return outputs


def planes(images: Array) -> Array:
    """(N, H, W, 3) -> (N, 3, H, W)."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def relative(values: Array, expected: Array) -> float:
    """The largest difference, as a fraction of the largest value."""
    assert values.shape == expected.shape
    assert values.dtype == expected.dtype
    return float(np.abs(values - expected).max() / np.abs(expected).max())


def pictures(height: int, width: int) -> Array:
    """Eight RGB pictures with faces: two photographs, mirrored, turned and shifted."""
    files = photographs.ASTRONAUT_FILE, photographs.HOPPER_FILE
    both = [cv2.resize(photographs.read(file), (width, height)) for file in files]
    made = [
        image
        for photo in both
        for image in (photo, photo[:, ::-1], photo[::-1], np.roll(photo, width // 3, axis=1))
    ]
    return np.ascontiguousarray(made)
