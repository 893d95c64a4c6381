"""The parts of a job on this machine, and the analyzer that a machine of a cluster opens, too."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import uvloop

from offline.analyzers.local import open_local
from offline.analyzers.types import CONCURRENCY
from offline.bulk.parts import PartAnalyzer
from offline.bulk.sources import open_source
from offline.bulk.storage import Storage
from offline.bulk.types import BulkJob, Part, PartReport
from offline.concurrency import OrderedTasks
from offline.video.tables import Columns
from service.options import default_options

# While the results of one part are written, the workers analyze the next one.
PARTS_AT_ONCE = 2


def run_local(job: BulkJob, parts: Sequence[Part], report: Callable[[PartReport], None]) -> None:
    """Analyze `parts` with the workers of this machine, and report each part that has ended.

    Raises:
        EngineError: a plan is missing or does not fit.
        OSError: the disk of this machine is full.
    """
    uvloop.run(_run(job, parts, report))


async def _run(job: BulkJob, parts: Sequence[Part], report: Callable[[PartReport], None]) -> None:

    async def deliver(result: PartReport) -> None:
        report(result)

    async with open_analyzer(job) as analyzer, OrderedTasks(PARTS_AT_ONCE, deliver) as tasks:
        for part in parts:
            await tasks.add(analyzer.analyze(part))


@asynccontextmanager
async def open_analyzer(job: BulkJob) -> AsyncIterator[PartAnalyzer]:
    """Start the workers of this process; end them at the end of the block.

    Raises:
        EngineError: a plan is missing or does not fit.
    """
    # A thread waits for each image that is read, which takes long in an object store.
    pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="file")
    asyncio.get_running_loop().set_default_executor(pool)
    settings = job.settings
    options = default_options(settings)._replace(embeddings=job.embeddings)
    async with open_local(settings, options, identify=True) as frames:
        yield PartAnalyzer(
            frames.with_options(options),
            frames,
            open_source(job.source, job.target, settings.max_image_bytes),
            Storage(job.target),
            Columns(job.embeddings),
            job.fps,
        )
