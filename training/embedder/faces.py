"""Photographs to aligned faces: found by the service's own detector, cut with a margin."""

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

import tensorrtx
from engines.catalog import Catalog
from engines.onnxruntime import OnnxRuntime
from engines.runner import Runner
from service.alignment import ARCFACE_SIZE, ARCFACE_TEMPLATE, similarity
from service.detection import MAX_ENLARGEMENT, letterbox, select

MARGIN = 12  # pixels around the crop, for views that are shifted, turned or scaled
SIDE = ARCFACE_SIZE + 2 * MARGIN
ARCHIVES = ("faces_unlabelled.zip", "faces_landmarks.zip")
DETECTOR = "retinaface-mnet025"
STRIDE = 32  # of the detector: its input's sides are multiples
HELD_OUT = 5  # every fifth person
U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Faces:
    """`images` uint8 (N, 136, 136, 3) RGB, and the picture that each was cut from."""

    images: U8
    names: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `align` wrote."""
        with np.load(path) as file:
            return cls(file["images"], tuple(file["names"].tolist()))

    @property
    def people(self) -> tuple[str, ...]:
        """Who is seen, by LFW's file names; a picture without a name is a person of its own."""
        return tuple(person(name) for name in self.names)

    @property
    def named(self) -> Self:
        """Those whose pictures bear a person's name."""
        return self._take([not name.startswith("_") for name in self.names])

    def split(self) -> tuple[Self, Self]:
        """Training part, and the faces of every fifth person that has a name."""
        known = sorted(set(self.named.people))
        apart = set(known[HELD_OUT - 1 :: HELD_OUT])
        held_out = [who in apart for who in self.people]
        return self._take([not held for held in held_out]), self._take(held_out)

    def _take(self, chosen: list[bool]) -> Self:
        names = (name for name, take in zip(self.names, chosen, strict=True) if take)
        return type(self)(self.images[chosen], tuple(names))


def person(name: str) -> str:
    """`Abba_Eban_0001` to `Abba_Eban`; pictures of `faces_landmarks.zip` begin with `_`."""
    return name if name.startswith("_") else name.rpartition("_")[0]


def align(data: Path, out: Path) -> None:
    """Write the faces of all archives in `data` that the detector finds."""
    found = [pair for name in ARCHIVES for pair in archive_faces(data / name)]
    images, names = np.stack([face for _, face in found]), np.array([name for name, _ in found])
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, images=images, names=names)


def archive_faces(path: Path) -> Iterator[tuple[str, U8]]:
    """Name and aligned face of every picture in which the detector sees one."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        size = enlarged(read(archive, names[0]))
        with detector(size) as runner:
            for name in names:
                image = read(archive, name)
                if (landmarks := middle_face(runner, image, size)) is not None:
                    prefix = "_" if "landmarks" in path.stem else ""
                    yield prefix + Path(name).stem, cut(image, landmarks)


def read(archive: zipfile.ZipFile, name: str) -> U8:
    """One picture as RGB.

    Raises `ValueError` where it is none.
    """
    image = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError(f"{name} is not a picture")
    return np.asarray(image, np.uint8)


def enlarged(image: U8) -> tuple[int, int]:
    """The smallest input of the detector that shows the image as the service would."""
    height, width = (-(-int(side * MAX_ENLARGEMENT) // STRIDE) * STRIDE for side in image.shape[:2])
    return height, width


def detector(size: tuple[int, int]) -> Runner:
    """The service's detector for inputs of one size."""
    spec = Catalog.load().get(DETECTOR)
    options: dict[str, Any] = {**spec.options, "size": size}
    model = tensorrtx.export(spec.network, spec.root / str(spec.weights), **options)
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, "plan.onnx")
        plan.write_bytes(model.SerializeToString())
        return OnnxRuntime().open(plan, spec)


def middle_face(runner: Runner, image: U8, size: tuple[int, int]) -> NDArray[np.float32] | None:
    """Landmarks (5, 2) of the face nearest to the middle, or none."""
    canvas, box = letterbox(image, size)
    rows = runner.infer({"images": canvas[None]})
    row = {name: values[0] for name, values in rows.items()}
    faces = select(row, box, min_score=0.5, nms_iou=0.4, max_faces=10)
    if not len(faces.boxes):
        return None
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    middle = np.array(image.shape[1::-1]) / 2
    nearest = np.linalg.norm(centres - middle, axis=1).argmin()
    return np.asarray(faces.landmarks[nearest], np.float32)


def cut(image: U8, landmarks: NDArray[np.float32]) -> U8:
    """Align a face as the service does, and leave a margin around it."""
    matrix = similarity(landmarks.astype(np.float64), ARCFACE_TEMPLATE + MARGIN)
    face = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(face, np.uint8)
