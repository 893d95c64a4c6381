"""Images from disk through the service's own pipeline, to lines of JSON or to a folder."""

import asyncio
import math
import sys
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from engines.plan import staged
from service.annotate import annotate
from service.errors import ServiceError
from service.files import SUFFIXES, Source, find, printable
from service.metrics import Metrics
from service.pipeline import Analysis, Options, Pipeline
from service.progress import counted
from service.schemas import ImageResult, image_result
from service.settings import Settings
from service.startup import Models, find_models, open_pipeline
from service.tables import Form, Tables, check, convert

U8 = NDArray[np.uint8]
Seen = Callable[[ImageResult], None]
# Enough to keep the networks' batches full while files are read and pictures are written.
AHEAD = 32
PICTURES = "pictures"


class Sink(Protocol):
    """Where results go. `done` names what is there already."""

    done: Container[str]

    def draw(self, image: U8, result: ImageResult) -> None:
        """Write an annotated picture. Called from any thread, in any order."""

    def add(self, result: ImageResult) -> None:
        """Write a result. Called in the order of the images, after its picture is written."""


class Lines:
    """Each result as a line of JSON, as it comes."""

    done: Container[str] = ()

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def draw(self, image: U8, result: ImageResult) -> None:
        """Draw nothing."""

    def add(self, result: ImageResult) -> None:
        """Write a line."""
        self._out.write(result.model_dump_json().encode() + b"\n")
        self._out.flush()


class Folder:
    """Annotated pictures and tables in a folder."""

    def __init__(self, folder: Path, tables: Tables) -> None:
        self._folder, self._tables = folder / PICTURES, tables
        self.done: Container[str] = tables.done
        for left_over in self._folder.rglob(".staged-*"):  # of a run that was killed
            left_over.unlink()

    def draw(self, image: U8, result: ImageResult) -> None:
        """Write the annotated picture below the folder, in the original's format."""
        path = self._folder / result.id
        if path.suffix.lower() not in SUFFIXES:
            path = path.with_name(path.name + ".jpg")
        picture = annotate(image, result.faces)
        with staged(path) as temporary:
            picture.save(temporary, quality=90, compress_level=1, method=1)

    def add(self, result: ImageResult) -> None:
        """Write the rows."""
        self._tables.add(result)


def predict(
    settings: Settings,
    paths: Sequence[Path],
    out: Path | None,
    *,
    form: Form,
    resume: bool,
    embeddings: bool,
    console: Console,
) -> int:
    """Read the images at `paths` and return how many could not be read.

    The results go to standard output, or with a bar on `console` into the folder `out`.

    Raises:
        OutputRefused: `out` holds results, or `form` needs what is not installed.
        OSError: a result cannot be written.
    """
    models = find_models(settings)
    options = Options(settings.min_score, settings.max_faces, embeddings, out is not None)
    if out is None:
        files = (Source(path, printable(str(path))) for path, _ in find(paths))
        with opened(settings, models) as pipeline, counted(console, 0, bar=False) as seen:
            asyncio.run(run(pipeline, options, files, Lines(sys.stdout.buffer), seen))
        return seen.failed
    check(form)
    labels = models.emotion.spec.labels
    with closing(Tables(out, labels, embeddings=embeddings, resume=resume)) as tables:
        total = sum(1 for file in find(paths, out) if file.name not in tables.done)
        with opened(settings, models) as pipeline, counted(console, total, bar=True) as seen:
            asyncio.run(run(pipeline, options, find(paths, out), Folder(out, tables), seen))
    if form != "csv":
        convert(out, form)
    console.print(f"{out}: {seen.images} images, {seen.faces} faces", markup=False)
    return seen.failed


@contextmanager
def opened(settings: Settings, models: Models) -> Iterator[Pipeline]:
    """A running pipeline with a queue so long that `run` is never turned away."""
    patient = settings.model_copy(update={"max_queue": AHEAD * settings.max_faces})
    pipeline = open_pipeline(patient, models, Metrics())
    pipeline.start()
    try:
        yield pipeline
    finally:
        pipeline.close()


async def run(
    pipeline: Pipeline, options: Options, files: Iterable[Source], sink: Sink, seen: Seen
) -> None:
    """Hand the result of each file to `sink` and then to `seen`, in order.

    Decoding, inference and writing of up to `AHEAD` images overlap; no more are in memory.
    """
    under_way: deque[asyncio.Task[ImageResult]] = deque()

    async def finish() -> None:
        result = await under_way.popleft()
        sink.add(result)
        seen(result)

    for file in files:
        if file.name in sink.done:
            continue
        under_way.append(asyncio.create_task(_predict(pipeline, options, file, sink)))
        if len(under_way) >= AHEAD:
            await finish()
    while under_way:
        await finish()


async def _predict(pipeline: Pipeline, options: Options, file: Source, sink: Sink) -> ImageResult:
    outcome: Analysis | ServiceError
    try:
        data = await asyncio.to_thread(file.path.read_bytes)
        outcome = await pipeline.analyze(data, options, math.inf)
    except ServiceError as error:
        outcome = error
    except OSError as error:
        outcome = ServiceError(f"cannot read the file: {error.strerror}")
    result = image_result(file.name, outcome, pipeline.labels, pipeline.labels)
    if isinstance(outcome, Analysis) and outcome.image is not None:
        await asyncio.to_thread(sink.draw, outcome.image, result)
    return result
