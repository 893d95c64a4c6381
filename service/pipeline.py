"""Detect, cut, classify and embed: the way of an image through the networks."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np

from engines.runner import Array, Runner, stacked
from engines.worker.pool import Workers
from service.batcher import Batcher
from service.detection import Detections
from service.errors import EmbedderMissing
from service.gate import Gate
from service.staged import NetworkBatcher, Row
from service.stages import F32, U8, Cut, Options, Source


class Analysis(NamedTuple):
    """One image's result: its upright size, its faces, and for each face a row.

    scores: (K, 7) float32, a softmax over the emotion network's labels; embeddings: (K, D)
    float32, L2-normalised, or None when not asked for; image: the upright pixels, RGB
    (height, width, 3) uint8, or None when not asked for.
    """

    width: int
    height: int
    faces: Detections
    scores: F32
    embeddings: F32 | None
    image: U8 | None = None


class Finder(Protocol):
    """Finds the faces of an image by the detector: `Staged` or `Lanes`."""

    @property
    def batcher(self) -> Batcher[Any, Any]:
        """What its detector runs in."""
        ...

    async def find(self, source: Source, options: Options, deadline: float) -> Cut:
        """Give the faces and their crops."""
        ...

    def close(self) -> None:
        """Finish what was accepted. Blocks."""
        ...


class Pipeline:
    """What finds faces, and the batchers of the networks that read them."""

    def __init__(
        self,
        finder: Finder,
        emotion: NetworkBatcher,
        embedder: NetworkBatcher | None,
        *,
        labels: Sequence[str],
        gate: Gate,
        workers: Workers | None = None,
    ) -> None:
        self.emotion, self.embedder = emotion, embedder
        self.labels = tuple(labels)
        self.gate = gate
        self._finder = finder
        self._workers = workers

    @property
    def batchers(self) -> list[Batcher[Any, Any]]:
        """The networks in use."""
        return [b for b in (self._finder.batcher, self.emotion, self.embedder) if b is not None]

    def start(self) -> None:
        """Start the batchers' workers, which open and warm up their runners."""
        if self._workers is not None:
            self._workers.start(self._renew)
        for batcher in self.batchers:
            batcher.start()

    def close(self) -> None:
        """Finish what was accepted and stop. Blocks; may be called from any thread."""
        self._finder.close()
        for batcher in self.batchers[1:]:
            batcher.close()
        if self._workers is not None:
            self._workers.close()

    def _renew(self) -> None:
        for batcher in self.batchers:
            batcher.renew()

    async def analyze(self, data: bytes, options: Options, deadline: float) -> Analysis:
        """Decode one image and find its faces; see `image.decode` and `Batcher` for errors.

        Raises:
            EmbedderMissing: embeddings are asked for and no embedder is there.
        """
        if options.embeddings and self.embedder is None:
            raise EmbedderMissing(
                "this service has no embedder; its operator adds one with "
                "`emotions models pull w600k-mbf` and EMOTIONS_EMBEDDER=w600k-mbf, or by putting "
                "arcface-mobilefacenet.wts into tensorrtx/arcface; then `emotions build`"
            )
        return await self._analyze(data, options, deadline)

    async def analyze_pixels(self, image: U8, options: Options, deadline: float) -> Analysis:
        """Find the faces of decoded pixels, upright RGB (height, width, 3); see `analyze`."""
        result = await self._analyze(image, options._replace(keep_image=False), deadline)
        return result._replace(image=image) if options.keep_image else result

    async def _analyze(self, source: Source, options: Options, deadline: float) -> Analysis:
        async with self.gate.work():
            return await self._read(await self._finder.find(source, options, deadline), deadline)

    async def _read(self, cut: Cut, deadline: float) -> Analysis:
        if cut.aligned is None or self.embedder is None:
            scores, embedded = await self._scores(cut, deadline), None
        else:
            scores, vectors = await asyncio.gather(
                self._scores(cut, deadline), self.embedder.submit_all(cut.aligned, deadline)
            )
            embedded = _stack([row["embedding"] for row in vectors], 0)
        return Analysis(cut.width, cut.height, cut.faces, scores, embedded, cut.image)

    async def _scores(self, cut: Cut, deadline: float) -> F32:
        if cut.scores is not None:
            return cut.scores
        rows = await self.emotion.submit_all(cut.crops, deadline)
        return _stack([row["scores"] for row in rows], len(self.labels))


def _stack(rows: list[Array], width: int) -> F32:
    return np.stack(rows) if rows else np.zeros((0, width), np.float32)


@contextmanager
def rows_of(
    opened: Callable[[], AbstractContextManager[Runner]], name: str, warm: U8
) -> Iterator[Callable[[list[U8]], list[Row]]]:
    """Open a runner with one input `name` as a function from items to their rows of outputs.

    The item `warm` is run once before the first real one: the first run of an engine is its
    slowest.
    """
    with opened() as runner:

        def run(items: list[U8]) -> list[Row]:
            outputs = runner.infer({name: stacked(runner, items)})
            return [{key: array[i] for key, array in outputs.items()} for i in range(len(items))]

        run([warm])
        yield run
