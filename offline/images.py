"""Image files through an analyzer into a sink."""

from collections.abc import Callable, Iterable

from analysis.document import ImageError, ImageResult
from analysis.errors import ServiceError, UnsupportedMediaTypeError
from offline.analyzers.types import CONCURRENCY, Analyzer
from offline.concurrency import OrderedTasks, in_thread
from offline.contents import Content
from offline.errors import ends_run
from offline.files import FoundFile
from offline.kinds import Kind, describe
from offline.progress import ResultCounter
from offline.sinks import Sink

# Reads a file, in a thread; for errors see `offline.contents.read_content`.
Read = Callable[[FoundFile], Content]
# Error codes of files; the other codes are those of the service.
UNREADABLE = "unreadable_file"
UNWRITABLE = "unwritable_picture"


async def analyze_images(
    analyzer: Analyzer,
    files: Iterable[FoundFile],
    sink: Sink,
    counter: ResultCounter,
    read: Read,
) -> list[FoundFile]:
    """Write the result of each image to `sink` and then count it, in the order of `files`.

    Reading, inference and drawing of up to `CONCURRENCY` images overlap; no more are in memory.
    Files that are no images are counted as left out, except the videos, which are returned.
    """
    videos: list[FoundFile] = []

    async def deliver(analyzed: tuple[FoundFile, ImageResult | Kind]) -> None:
        file, result = analyzed
        if isinstance(result, ImageResult):
            sink.write_result(result)
            counter.add(result)
        elif result is Kind.VIDEO:
            videos.append(file)
            counter.advance()
        else:
            counter.leave_out(file.suffix)

    async with OrderedTasks(CONCURRENCY, deliver) as tasks:
        for file in files:
            if file.left_out:
                counter.leave_out(file.left_out)
            elif file.name in sink.done:
                counter.done += 1
            else:
                await tasks.add(_analyze(analyzer, file, sink, read))
    return videos


async def _analyze(
    analyzer: Analyzer, file: FoundFile, sink: Sink, read: Read
) -> tuple[FoundFile, ImageResult | Kind]:
    if file.error:
        return file, failed_result(file, UNREADABLE, file.error)
    try:
        content = await in_thread(read, file)
    except OSError as error:
        return file, failed_result(file, UNREADABLE, f"cannot read the file: {error.strerror}")
    except ServiceError as error:
        return file, failed_result(file, error.code, str(error))
    if content.kind is Kind.IMAGE:
        return file, await _analyze_image(analyzer, file, content.data, sink)
    if content.kind is Kind.OTHER and file.promising:
        detail = describe(content.data)
        return file, failed_result(file, UnsupportedMediaTypeError.code, detail)
    return file, content.kind


async def _analyze_image(
    analyzer: Analyzer, file: FoundFile, data: bytes, sink: Sink
) -> ImageResult:
    result, image = await analyzer.analyze(file.name, data)
    if image is None:
        return result
    try:
        await in_thread(sink.write_picture, image, result, file.path)
    except OSError as error:
        if ends_run(error):
            raise
        detail = f"cannot write the picture: {error.strerror or error}"
        return result.model_copy(update={"error": ImageError(code=UNWRITABLE, detail=detail)})
    return result


def failed_result(file: FoundFile, code: str, detail: str) -> ImageResult:
    """Return the result of a file that cannot be analyzed."""
    error = ImageError(code=code, detail=detail)
    return ImageResult(id=file.name, width=0, height=0, turned=0, error=error, faces=[])
