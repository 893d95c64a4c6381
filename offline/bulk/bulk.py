"""`emotions bulk`: a library of images and videos to Parquet, on one machine or on many."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console

from offline.bulk.manifest import add_parts, check_done, check_job, load_parts
from offline.bulk.results import done_parts
from offline.bulk.sources import open_source
from offline.bulk.storage import Storage
from offline.bulk.stores import absolute
from offline.bulk.types import BulkJob, PartReport, Run
from offline.errors import NothingReadError, StorageError
from offline.files import FoundFile
from offline.progress import ResultCounter, count_results

# The settings on which the rows of a file depend.
ROW_SETTINGS = {
    *("detector", "landmarks", "emotion", "embedder"),
    *("min_score", "max_faces", "min_face", "min_quality", "orientation"),
    *("max_tiles", "nms_iou", "close_ups"),
}

# Each of these parts has failed after repeated attempts.
PROBLEMS_IN_A_ROW = 5


def bulk(job: BulkJob, run: Run, console: Console, files_per_part: int) -> int:
    """Analyze the parts that the target lacks with `run`.

    Return how many files have an error, or no result yet.

    Raises:
        CommandError: the source or the target is wrong or does not answer, or there are no files.
        EngineError: a plan is missing or does not fit.
    """
    job = job._replace(source=absolute(job.source), target=absolute(job.target))
    target = Storage(job.target)
    source = open_source(job.source, job.target, job.settings.max_image_bytes)
    check_job(target, _described(job))
    listing = ResultCounter(console)
    # In this order: another run may add parts.
    done, parts = done_parts(target), load_parts(target)
    check_done(target, parts, done)
    parts += add_parts(target, parts, _readable(source.files(), listing), files_per_part)
    missing = [part for part in parts if part.name not in done]
    with count_results(console, sum(len(part.files) for part in missing), "files") as counter:
        counter.left_out += listing.left_out
        counter.done = sum(len(part.files) for part in parts if part.name in done)
        if missing:
            run(job, missing, _Reports(counter).add)
    console.print(f"{job.target}: {counter}", markup=False)
    counter.print_left_out()
    if not counter.found + counter.failed:
        raise NothingReadError(f"nothing was read: there is no image and no video in {job.source}")
    return counter.failed


class _Reports:
    """Counts the files of each part; all files of a part that was not written have failed."""

    def __init__(self, counter: ResultCounter) -> None:
        self._counter, self._problems = counter, 0

    def add(self, part: PartReport) -> None:
        """Count a part.

        Raises:
            StorageError: so many parts in a row were not written that a store must be down.
        """
        counter = self._counter
        counter.images += part.images
        counter.videos += part.videos
        counter.faces += part.faces
        counter.failed += part.files if part.problem else part.failed
        counter.left_out.update(part.left_out)
        counter.advance(part.files)
        self._problems = self._problems + 1 if part.problem else 0
        if part.problem:
            counter.console.print(part.problem, markup=False)
        if self._problems == PROBLEMS_IN_A_ROW:
            raise StorageError(f"{part.problem}; mend this, and the same command continues")


def _described(job: BulkJob) -> dict[str, Any]:
    rows = job.settings.model_dump(mode="json", include=ROW_SETTINGS)
    return {"source": job.source, "embeddings": job.embeddings, "fps": job.fps} | rows


def _readable(files: Iterable[FoundFile], counter: ResultCounter) -> Iterator[FoundFile]:
    """Yield the files to read, and count the others."""
    for file in files:
        if file.left_out:
            counter.leave_out(file.left_out)
        else:
            yield file
