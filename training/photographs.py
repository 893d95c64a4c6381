"""The face in the middle of each photograph of the archives, detected as in the service."""

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import tensorrtx
from analysis.detection import MAX_ENLARGEMENT, select
from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import Catalog
from engines.types import F32, U8, Runner
from training.detector.pictures import decode, names_in
from training.geometry import letterbox, place

ARCHIVES = ("faces_unlabelled.zip", "faces_landmarks.zip")
DETECTOR = "retinaface-mnet025"
PLACER = "landmarks-64"
STRIDE = 32  # sides of the detector's input are multiples


@dataclass(frozen=True)
class Found:
    """A picture, RGB uint8 (h, w, 3), and the box (4,) and landmarks (5, 2) of a face in pixels."""

    name: str
    image: U8
    box: F32
    landmarks: F32


def middle_faces(data: Path) -> Iterator[Found]:
    """Yield the face nearest to the middle, for every photograph of `ARCHIVES` with a face.

    Names of `faces_landmarks.zip`, which name no person, get the prefix `_`.
    """
    for archive in ARCHIVES:
        yield from _of_archive(data / archive)


def _of_archive(path: Path) -> Iterator[Found]:
    with zipfile.ZipFile(path) as archive:
        names = names_in(archive)
        size = _enlarged(_read(archive, names[0]))
        with _detector(size) as runner:
            for name in names:
                image = _read(archive, name)
                prefix = "_" if "landmarks" in path.stem else ""
                if (found := _middle(runner, image, size, prefix + Path(name).stem)) is not None:
                    yield found


def _read(archive: zipfile.ZipFile, name: str) -> U8:
    """Return a picture as RGB."""
    return np.asarray(cv2.cvtColor(decode(archive.read(name), name), cv2.COLOR_BGR2RGB), np.uint8)


def _enlarged(image: U8) -> tuple[int, int]:
    """Return the smallest input that shows the image at the scale of the service."""
    height, width = (-(-int(side * MAX_ENLARGEMENT) // STRIDE) * STRIDE for side in image.shape[:2])
    return height, width


def _detector(size: tuple[int, int]) -> Runner:
    """Open the detector of the service for inputs of one size."""
    spec = Catalog.load().get(DETECTOR)
    options: dict[str, Any] = {**spec.options, "size": size}
    model = tensorrtx.export(spec.network, spec.root / str(spec.weights), **options)
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, "plan.onnx")
        plan.write_bytes(model.SerializeToString())
        return OnnxRuntime().open(plan, spec)


@cache
def _placer() -> Path:
    """Return the landmark network of the service."""
    spec = Catalog.load().get(PLACER)
    return spec.root / str(spec.weights)


def _middle(runner: Runner, image: U8, size: tuple[int, int], name: str) -> Found | None:
    """Return the face nearest to the middle, or None."""
    canvas, box = letterbox(image, size)
    rows = runner.infer({"images": canvas[None]})
    row = {output: values[0] for output, values in rows.items()}
    faces = select(row, box, min_score=0.5, nms_iou=0.4, max_faces=10)
    if not len(faces.boxes):
        return None
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    middle = np.array(image.shape[1::-1]) / 2
    nearest = np.linalg.norm(centres - middle, axis=1).argmin()
    points = place(_placer(), image, faces.landmarks[nearest][None])
    found = (np.asarray(each, np.float32) for each in (faces.boxes[nearest], points[0]))
    return Found(name, image, *found)
