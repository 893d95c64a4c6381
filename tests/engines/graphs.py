"""Graphs of the shipped networks, and photographs for them that no calibration has seen."""

import cv2
import numpy as np
import onnx

from engines.catalog import Catalog, ModelSpec
from engines.types import U8
from tests import photographs
from tests.engines import seeded

SHIPPED = ("retinaface-mnet025", "landmarks-64", "emotion-fer48", "arcface-mobilefacenet")
# Head and shoulders of Grace Hopper, x1 y1 x2 y2.
HOPPER_BOX = (160, 30, 400, 330)


def spec_of(name: str) -> ModelSpec:
    return Catalog.load().get(name)


def graph(name: str) -> onnx.ModelProto:
    return seeded.graph(spec_of(name))


def photographed(spec: ModelSpec) -> U8:
    """Other crops and sizes than those of the probe, and several faces."""
    astronaut, hopper = map(photographs.read, (photographs.ASTRONAUT_FILE, photographs.HOPPER_FILE))
    group, _ = photographs.group(2, 2)
    if spec.task == "detector":
        pictures = [astronaut, hopper, group, astronaut[::2, ::2], hopper[:, ::-1]]
        return resized(pictures, (640, 640))
    x1, y1, x2, y2 = (int(side) for side in photographs.ASTRONAUT_BOX)
    near = [astronaut[y1:y2, x1:x2], astronaut[y1 - 15 : y2 + 15, x1 - 15 : x2 + 15]]
    x1, y1, x2, y2 = HOPPER_BOX
    near += [hopper[y1:y2, x1:x2], hopper[y1 + 30 : y2, x1 + 30 : x2 - 30]]
    crops = resized(near, spec.input_shape[:2])
    if spec.task != "emotion":
        return crops
    return np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]).astype(np.uint8)


def resized(pictures: list[U8], size: tuple[int, ...]) -> U8:
    height, width = size
    shrunk = [cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.stack(shrunk).astype(np.uint8)
