"""Images from disk through the service's own pipeline, to lines of JSON."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from service.errors import ServiceError
from service.metrics import Metrics
from service.pipeline import Analysis, Options, Pipeline
from service.schemas import ImageResult, image_result
from service.settings import Settings
from service.startup import find_models, open_pipeline

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
# Enough to keep the networks' batches full while files are read.
AHEAD = 16


def run(settings: Settings, path: Path, embeddings: bool, out: BinaryIO) -> int:
    """Write a line for each image at or below `path`, in order; return how many had errors."""
    pipeline = open_pipeline(settings, find_models(settings), Metrics())
    pipeline.start()
    try:
        return asyncio.run(_run(pipeline, settings, path, embeddings, out))
    finally:
        pipeline.close()


async def _run(
    pipeline: Pipeline, settings: Settings, path: Path, embeddings: bool, out: BinaryIO
) -> int:
    options = Options(settings.min_score, settings.max_faces, embeddings)
    failed = 0
    under_way: list[asyncio.Task[ImageResult]] = []
    for file in _files(path):
        under_way.append(asyncio.create_task(_predict(pipeline, settings, file, options)))
        if len(under_way) >= AHEAD:
            failed += _write(await under_way.pop(0), out)
    for task in under_way:
        failed += _write(await task, out)
    return failed


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


async def _predict(
    pipeline: Pipeline, settings: Settings, file: Path, options: Options
) -> ImageResult:
    outcome: Analysis | ServiceError
    try:
        data = await asyncio.to_thread(file.read_bytes)
        deadline = time.monotonic() + settings.deadline_s
        outcome = await pipeline.analyze(data, options, deadline)
    except ServiceError as error:
        outcome = error
    except OSError as error:
        outcome = ServiceError(f"cannot read the file: {error.strerror}")
    return image_result(str(file), outcome, pipeline.labels, pipeline.labels)


def _write(result: ImageResult, out: BinaryIO) -> bool:
    out.write(result.model_dump_json().encode() + b"\n")
    out.flush()
    return result.error is not None
