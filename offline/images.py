"""Image files through an analyzer into a sink."""

from collections.abc import Callable, Iterable

from analysis.document import ImageError, ImageResult
from offline.analyzers.types import CONCURRENCY, Analyzer
from offline.concurrency import OrderedTasks, in_thread
from offline.files import FoundFile
from offline.sinks import Sink

# The error code of a file that cannot be read; the other codes are those of the service.
UNREADABLE = "unreadable_file"


async def analyze_images(
    analyzer: Analyzer,
    files: Iterable[FoundFile],
    sink: Sink,
    report: Callable[[ImageResult], None],
) -> None:
    """Write the result of each file to `sink` and then `report` it, in the order of `files`.

    Reading, inference and drawing of up to `CONCURRENCY` images overlap; no more are in memory.
    """

    async def deliver(result: ImageResult) -> None:
        sink.write_result(result)
        report(result)

    async with OrderedTasks(CONCURRENCY, deliver) as tasks:
        for file in files:
            if file.name not in sink.done:
                await tasks.add(_analyze(analyzer, file, sink))


async def _analyze(analyzer: Analyzer, file: FoundFile, sink: Sink) -> ImageResult:
    if file.error:
        return _unreadable(file.name, file.error)
    try:
        data = await in_thread(file.path.read_bytes)
    except OSError as error:
        return _unreadable(file.name, f"cannot read the file: {error.strerror}")
    result, image = await analyzer.analyze(file.name, data)
    if image is not None:
        await in_thread(sink.write_picture, image, result)
    return result


def _unreadable(name: str, detail: str) -> ImageResult:
    error = ImageError(code=UNREADABLE, detail=detail)
    return ImageResult(id=name, width=0, height=0, error=error, faces=[])
