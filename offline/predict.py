"""Images from disk through the service's own pipeline, to lines of JSON or to a folder."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO, NamedTuple, Protocol

import uvloop
from rich.console import Console

from analysis.document import ImageResult, image_result
from analysis.errors import ServiceError
from analysis.types import Options
from engines import cpu
from engines.types import U8
from offline.analyzers import AHEAD, Reader, opened
from offline.annotate import annotate
from offline.files import SUFFIXES, Source, all_inside, below, common, find, printable
from offline.progress import counted
from offline.tables import Form, OutputError, Tables, check, check_video, convert
from service.settings import Settings

Seen = Callable[[ImageResult], None]
PICTURES, VIDEOS = "pictures", "videos"
# For JPEG, PNG and WebP in this order: each takes what it knows.
ENCODING: dict[str, Any] = {"quality": 90, "compress_level": 1, "method": 1}


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

    def draw(self, image: U8, result: ImageResult) -> None:
        """Write the annotated picture below the folder, in the original's format.

        What a kill cuts off is written anew: an image counts as done by its row, which comes later.

        Raises:
            OutputError: see `below`.
        """
        is_known = PurePath(result.id).suffix.lower() in SUFFIXES
        path = below(self._folder, result.id if is_known else result.id + ".jpg")
        save = partial(annotate(image, result.faces).save, path, **ENCODING)
        try:
            save()
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            save()

    def add(self, result: ImageResult) -> None:
        """Write the rows."""
        self._tables.add(result)


class Job(NamedTuple):
    """What `emotions predict` is asked to do; without `out` to standard output."""

    paths: Sequence[Path]
    out: Path | None = None
    form: Form = "csv"
    resume: bool = False
    embeddings: bool = False
    url: str | None = None
    fps: float | None = None
    identities: bool = True


def predict(settings: Settings, job: Job, console: Console) -> int:
    """Read the images of a job, telling of progress on `console`; how many could not be read.

    Raises:
        EngineError: a plan is missing or does not fit.
        OutputError: `out` holds results, maybe of another folder's files, or all that is to be
            read, or leads elsewhere by links; or `form` needs what is not installed.
        RemoteError: the service at `url` gives no answers.
        OSError: a result cannot be written.
    """
    check(job.form)
    _check_out(job)
    if any(True for _ in find(job.paths, job.out, videos=True)):
        _check_videos(job)
    return uvloop.run(_predict(settings, job, console))


def _check_out(job: Job) -> None:
    if job.out and all_inside(job.paths, job.out):
        raise OutputError(
            f"nothing to read: {job.out} is the folder for results, whose pictures are left out; "
            "choose another --out"
        )


def _check_videos(job: Job) -> None:
    if job.out is None:
        raise OutputError("videos need --out, a folder for what is made of them")
    check_video()


async def _predict(settings: Settings, job: Job, console: Console) -> int:
    # More threads would draw and encode beside networks that have every core already.
    pool = ThreadPoolExecutor(cpu.available(), thread_name_prefix="picture")
    asyncio.get_running_loop().set_default_executor(pool)
    keep = job.out is not None
    options = Options(settings.min_score, settings.max_faces, job.embeddings, keep)
    identify = keep and job.identities
    async with opened(
        settings, options, job.url, identify=identify, follow=job.identities
    ) as reader:
        if job.out is None:
            with counted(console, 0, bar=False) as seen:
                found = find(job.paths)
                files = (file._replace(name=printable(str(file.path))) for file in found)
                await run(reader, files, Lines(sys.stdout.buffer), seen)
            return seen.failed
        return await _into_folder(reader, job, job.out, console)


async def _into_folder(reader: Reader, job: Job, out: Path, console: Console) -> int:
    tables = Tables(
        out,
        reader.labels,
        embeddings=job.embeddings,
        same_person=reader.same_person if reader.embeds and job.identities else None,
        resume=job.resume,
        base=common(job.paths),
    )
    with closing(tables):
        total = sum(1 for file in find(job.paths, out) if file.name not in tables.done)
        with counted(console, total, bar=total > 0) as seen:
            await run(reader, find(job.paths, out), Folder(out, tables), seen)
    failed = seen.failed
    for file in find(job.paths, out, videos=True):
        failed += await _film(reader, file, job, below(out / VIDEOS, file.name), console)
    convert(out, job.form)
    console.print(f"{out}: {seen.images} images, {seen.faces} faces", markup=False)
    return failed


async def _film(reader: Reader, file: Source, job: Job, out: Path, console: Console) -> bool:
    """Whether the video failed; one that is there already is left alone."""
    from offline import video, video_report  # noqa: PLC0415  (PyAV comes with an extra)

    if job.resume and (out / video_report.REPORT).exists():
        convert(out, job.form, video_report.TABLES)
        return False
    wanted = video_report.Wanted(job.embeddings, job.identities)
    try:
        with counted(console, video.count(file.path, job.fps), bar=True) as seen:
            source = video.frames(file.path, job.fps)
            people = await video_report.film(reader, file.name, source, out, seen, wanted=wanted)
    except (video.CorruptVideoError, ServiceError) as error:
        console.print(f"{file.name}: {error}", markup=False)
        return True
    convert(out, job.form, video_report.TABLES)
    who = "people" if job.identities else "tracks"
    console.print(f"{out}: {seen.images} frames, {len(people)} {who}", markup=False)
    return False


async def run(reader: Reader, files: Iterable[Source], sink: Sink, seen: Seen) -> None:
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
        under_way.append(asyncio.create_task(_one(reader, file, sink)))
        if len(under_way) >= AHEAD:
            await finish()
    while under_way:
        await finish()


async def _one(reader: Reader, file: Source, sink: Sink) -> ImageResult:
    unread = file.unread
    try:
        data = b"" if unread else await asyncio.to_thread(file.path.read_bytes)
    except OSError as error:
        unread = f"cannot read the file: {error.strerror}"
    if unread:
        return image_result(file.name, ServiceError(unread), (), ())
    result, image = await reader.read(file.name, data)
    if image is not None:
        await asyncio.to_thread(sink.draw, image, result)
    return result
