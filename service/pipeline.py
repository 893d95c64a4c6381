"""Detect, cut, classify and embed: the way of an image through the networks."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.runner import Array, Runner, stacked
from engines.worker.process import Worker
from service import closeups
from service import image as images
from service.alignment import ARCFACE_SIZE, FER_SIZE, arcface_crop, fer_crop, too_small
from service.batcher import Batcher
from service.detection import Detections, Letterbox, letterbox, select
from service.errors import EmbedderMissing
from service.gate import Gate
from service.image import Picture
from service.record import Stage, in_thread

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Row = dict[str, Array]
NetworkBatcher = Batcher[U8, Row]
T = TypeVar("T")


class Options(NamedTuple):
    """What one request asks for."""

    min_score: float = 0.5
    max_faces: int = 100
    embeddings: bool = False
    keep_image: bool = False


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


class _Cut(NamedTuple):
    """Faces in pixels of the whole image, their crops, and the aligned ones if asked for."""

    faces: Detections
    crops: list[U8]
    aligned: list[U8] | None


class Pipeline:
    """The networks' batchers and the threads that do the work between them."""

    def __init__(
        self,
        detector: NetworkBatcher,
        emotion: NetworkBatcher,
        embedder: NetworkBatcher | None,
        *,
        threads: ThreadPoolExecutor,
        limits: images.ImageLimits,
        size: tuple[int, int],
        labels: Sequence[str],
        nms_iou: float,
        close_ups: closeups.CloseUps = "auto",
        gate: Gate,
        worker: Worker | None = None,
    ) -> None:
        self.detector, self.emotion, self.embedder = detector, emotion, embedder
        self._threads = threads
        self._limits = limits
        self._size = size
        self.labels = tuple(labels)
        self._nms_iou = nms_iou
        self._close_ups = close_ups
        self.gate = gate
        self._worker = worker

    @property
    def batchers(self) -> list[NetworkBatcher]:
        """The networks in use."""
        return [b for b in (self.detector, self.emotion, self.embedder) if b is not None]

    def start(self) -> None:
        """Start the batchers' workers, which open and warm up their runners."""
        if self._worker is not None:
            self._worker.start(self._renew)
        for batcher in self.batchers:
            batcher.start()

    def close(self) -> None:
        """Finish what was accepted and stop. Blocks; may be called from any thread."""
        self._threads.shutdown()
        for batcher in self.batchers:
            batcher.close()
        if self._worker is not None:
            self._worker.close()

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
        side = None if options.keep_image else max(self._size)

        def opened() -> Picture:
            return images.open_picture(data, self._limits, side)

        def whole() -> U8:
            return images.decode(data, self._limits)

        return await self._analyze(opened, whole, options, deadline)

    async def analyze_pixels(self, image: U8, options: Options, deadline: float) -> Analysis:
        """Find the faces of decoded pixels, upright RGB (height, width, 3); see `analyze`."""
        picture = Picture(image, image.shape[1], image.shape[0])
        return await self._analyze(lambda: picture, lambda: image, options, deadline)

    async def _analyze(
        self,
        opened: Callable[[], Picture],
        whole: Callable[[], U8],
        options: Options,
        deadline: float,
    ) -> Analysis:
        async with self.gate.work():
            picture, canvas, box = await self._in_thread("decode", lambda: self._prepare(opened()))
            row = await self._detect(canvas, box, deadline)
            cut = await self._in_thread(
                "align", lambda: self._cut(picture, whole, row, box, options)
            )
            result = await self._read(picture, cut, deadline)
        return result._replace(image=picture.pixels) if options.keep_image else result

    async def _detect(self, canvas: U8, box: Letterbox, deadline: float) -> Row:
        row = await self.detector.submit(canvas, deadline)
        if not closeups.wanted(row, self._close_ups):
            return row
        small = await self._in_thread("decode", lambda: closeups.second_look(canvas, box))
        again = await self.detector.submit(small, deadline)
        return closeups.merged(row, again, canvas.shape, box)

    def _prepare(self, picture: Picture) -> tuple[Picture, U8, Letterbox]:
        return picture, *letterbox(picture.pixels, self._size)

    def _cut(
        self,
        picture: Picture,
        whole: Callable[[], U8],
        row: Row,
        box: Letterbox,
        options: Options,
    ) -> _Cut:
        faces = select(
            row,
            box,
            min_score=options.min_score,
            nms_iou=self._nms_iou,
            max_faces=options.max_faces,
        )
        height, width = picture.pixels.shape[:2]
        found = faces.scaled(picture.width / width, picture.height / height)
        image = picture.pixels
        if picture.reduced and too_small(
            faces.boxes, ARCFACE_SIZE if options.embeddings else FER_SIZE
        ):
            image, faces = whole(), found
        crops = [fer_crop(image, face) for face in faces.boxes]
        if not options.embeddings:
            return _Cut(found, crops, None)
        return _Cut(found, crops, [arcface_crop(image, face) for face in faces.landmarks])

    async def _read(self, picture: Picture, cut: _Cut, deadline: float) -> Analysis:
        faces, crops, aligned = cut
        emotion = self.emotion.submit_all(crops, deadline)
        if aligned is None or self.embedder is None:
            rows, embedded = await emotion, None
        else:
            rows, vectors = await asyncio.gather(
                emotion, self.embedder.submit_all(aligned, deadline)
            )
            embedded = _stack([row["embedding"] for row in vectors], 0)
        scores = _stack([row["scores"] for row in rows], len(self.labels))
        return Analysis(picture.width, picture.height, faces, scores, embedded)

    async def _in_thread(self, stage: Stage, work: Callable[[], T]) -> T:
        noted = in_thread(stage, work)
        return await asyncio.get_running_loop().run_in_executor(self._threads, noted)


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
