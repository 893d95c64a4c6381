"""Finding faces stage by stage, for detectors that want batches: threads around one batcher."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from engines.runner import Array
from service import closeups, landmarks, stages
from service.batcher import Batcher
from service.detection import Letterbox
from service.record import Stage, in_thread
from service.stages import U8, Cut, Options, Rules, Source

Row = dict[str, Array]
NetworkBatcher = Batcher[U8, Row]
T = TypeVar("T")


class Staged:
    """Decodes and cuts in threads; the images of all callers meet in the detector's batches."""

    def __init__(self, batcher: NetworkBatcher, threads: ThreadPoolExecutor, rules: Rules) -> None:
        self.batcher = batcher
        self._threads = threads
        self._rules = rules
        landmarks.warm(rules.landmarks)

    async def find(self, source: Source, options: Options, deadline: float) -> Cut:
        """Find and cut the faces of an image; see `image.open_picture` and `Batcher` for errors."""
        ready = await self._in_thread(
            "decode", lambda: stages.prepared(source, options, self._rules)
        )
        row = await self._detect(ready.canvas, ready.box, deadline)
        return await self._in_thread(
            "align", lambda: stages.cut(source, ready, row, options, self._rules)
        )

    def close(self) -> None:
        """Finish what was accepted. Blocks."""
        self._threads.shutdown()
        self.batcher.close()

    async def _detect(self, canvas: U8, box: Letterbox, deadline: float) -> Row:
        row = await self.batcher.submit(canvas, deadline)
        if not closeups.wanted(row, self._rules.close_ups):
            return row
        small = await self._in_thread(
            "decode", lambda: closeups.second_look(canvas, box, self._rules.heights)
        )
        again = await self.batcher.submit(small, deadline)
        return closeups.merged(row, again, small.shape, box)

    async def _in_thread(self, stage: Stage, work: Callable[[], T]) -> T:
        noted = in_thread(stage, work)
        return await asyncio.get_running_loop().run_in_executor(self._threads, noted)
