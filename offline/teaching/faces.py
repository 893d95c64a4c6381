"""The face in each photograph, cut out by the pipeline of the service."""

import asyncio
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import uvloop
from rich.console import Console

from analysis.crops import fer_crop
from analysis.document import Face, ImageResult
from analysis.pose import rolls
from engines import cpu
from engines.types import F32, U8, Array
from offline.analyzers import open_analyzer
from offline.contents import file_reader
from offline.errors import TeachingError
from offline.files import FoundFile
from offline.images import analyze_images
from offline.progress import count_results
from offline.teaching.photographs import Digests, label_of
from service.options import default_options
from service.settings import Settings


class LeftOut(NamedTuple):
    """A picture that is not used: its name relative to the folder, and the reason."""

    name: str
    reason: str


class Faces(NamedTuple):
    """The faces that are used, one per picture.

    - `names`: of the pictures, relative to the folder.
    - `crops`: uint8 (N, 48, 48), grey.
    - `targets`: int64 (N,), indices of `labels`.
    - `embeddings`: float32 (N, D), or None without an embedder.
    - `same_person`: see `ModelSpec`.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    crops: U8
    targets: Array
    embeddings: F32 | None
    same_person: float
    left_out: tuple[LeftOut, ...]


def cut_faces(
    photographs: Sequence[FoundFile], settings: Settings, least_quality: float, console: Console
) -> Faces:
    """Analyze the photographs, and keep those with exactly one face of at least `least_quality`.

    Raises:
        EngineError: a plan is missing or does not fit.
        TeachingError: no picture has such a face.
    """
    return uvloop.run(_cut_faces(photographs, settings, least_quality, console))


async def _cut_faces(
    photographs: Sequence[FoundFile], settings: Settings, least_quality: float, console: Console
) -> Faces:
    pool = ThreadPoolExecutor(cpu.available(), thread_name_prefix="picture")
    asyncio.get_running_loop().set_default_executor(pool)
    options = default_options(settings)._replace(keep_image=True, min_quality=0.0)
    cutter, digests = Cutter(least_quality), Digests(file_reader(settings.max_image_bytes))
    total = len(photographs)
    with count_results(console, total, "pictures") as counter:
        async with open_analyzer(settings, options, identify=True) as analyzer:
            await analyze_images(analyzer, photographs, cutter, counter, digests.read)
    return cutter.faces(digests, analyzer.same_person)


class Cutter:
    """A sink that keeps the only good face of each picture; see `offline.sinks.Sink`."""

    done: Container[str] = ()

    def __init__(self, least_quality: float) -> None:
        self._least_quality = least_quality
        self._crops: dict[str, U8] = {}
        self._faces: dict[str, Face] = {}
        self._left_out: list[LeftOut] = []

    def write_picture(self, image: U8, result: ImageResult, original: Path) -> None:  # noqa: ARG002
        """Cut out the face as the service does; called from any thread."""
        good = self._good(result)
        if len(good) == 1:
            turn = float(rolls(np.array([good[0].landmarks]))[0])
            self._crops[result.id] = fer_crop(image, np.array(good[0].box), turn)

    def write_result(self, result: ImageResult) -> None:
        """Keep the face, or the reason why there is none."""
        good = self._good(result)
        if len(good) == 1:
            self._faces[result.id] = good[0]
        else:
            self._left_out.append(LeftOut(result.id, self._reason(result, len(good))))

    def faces(self, digests: Digests, same_person: float) -> Faces:
        """Return all faces, without those of equal pictures; a class has at least one picture.

        Raises:
            TeachingError: there is none.
        """
        copies = dict(digests.copies(list(self._faces)))
        names = tuple(name for name in self._faces if name not in copies)
        if not names:
            raise TeachingError(
                "no picture has exactly one face that is clear enough; give photographs of one "
                "person each, or a lower --min-quality"
            )
        seen = (*self._faces, *(each.name for each in self._left_out))
        labels = tuple(sorted({label_of(name) for name in seen}))
        targets = np.array([labels.index(label_of(name)) for name in names], np.int64)
        left_out = (*self._left_out, *(LeftOut(*copy) for copy in copies.items()))
        crops = np.stack([self._crops[name] for name in names])
        vectors = _embeddings([self._faces[name] for name in names])
        return Faces(labels, names, crops, targets, vectors, same_person, left_out)

    def _good(self, result: ImageResult) -> list[Face]:
        return [face for face in result.faces if face.quality >= self._least_quality]

    def _reason(self, result: ImageResult, good: int) -> str:
        if result.error is not None:
            return result.error.detail
        if good:
            return f"{good} faces"
        return "its face is not clear enough" if result.faces else "no face"


def _embeddings(faces: Sequence[Face]) -> F32 | None:
    vectors = [face.embedding for face in faces]
    return None if None in vectors else np.array(vectors, np.float32)
