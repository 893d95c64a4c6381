"""Stage `decoding`: plain JPEGs on the GPU and on one CPU core, and whether their pixels agree.

`python -m bench.gpu.decoding [DECODER]` prints only the CPU time of a worker per image, with
libjpeg-turbo and in front of a decoder; by default nvImageCodec on the CPU, which needs no GPU.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median

import numpy as np

from analysis import sanitize
from analysis.decode import open_picture
from analysis.jpegs.select import load_decoder
from analysis.jpegs.types import BatchDecoder, JpegDecoder
from analysis.limits import ImageLimits
from analysis.workers.decoder_thread import BATCH_PIXELS
from bench.gpu.day import STAND_IN_DECODER, Day
from bench.gpu.decoder_alone import served
from bench.gpu.results import Figure, Finding, Parity, Problem
from bench.inputs.scenes import MIXED, ONE_FACE, scene
from bench.measure.loops import calls_per_second
from bench.measure.output import header, machine, row
from engines.errors import EngineError
from engines.types import U8

LIMITS = ImageLimits(1 << 30, 1 << 30)
BATCHES = (1, 4, 16, 64)
LARGE = "4000x3000, 30 faces"
SCENES = (ONE_FACE, "1920x1080, 5 faces", LARGE)
# Mean difference from libjpeg-turbo, in levels of 255. Colours of single pixels at edges may differ
# by more, because libraries enlarge them in different ways.
MOST = 1.0
# Rounds of one measurement of CPU time; its median counts.
ROUNDS = 25


def decoding(day: Day) -> Iterator[Finding]:
    """Yield the rates and differences of each scene."""
    try:
        decoder = load_decoder(day.jpeg_decoder)
    except EngineError as error:
        yield Problem(str(error))
        return
    for name in dict.fromkeys((*day.scenes, LARGE)):
        body = sanitize.read(scene(name)).data
        yield from _compared(decoder, name, body)
        alone = cpu_ms(partial(open_picture, body, LIMITS))
        yield Figure(f"one CPU core, {name}", {"cpu_ms": round(alone, 2)})
        width, height, _ = MIXED[name]
        for batch in (each for each in BATCHES if each * width * height < 2 * BATCH_PIXELS):
            yield _rate(decoder, name, body, batch, day.seconds)


def _compared(decoder: BatchDecoder, name: str, body: bytes) -> Iterator[Finding]:
    [pixels] = decoder.decode([np.frombuffer(body, np.uint8)])
    if pixels is None:
        yield Problem(f"{name}: the decoder declines it")
        return
    difference = np.abs(pixels.astype(np.int16) - open_picture(body, LIMITS).pixels)
    values = {"mean": round(float(difference.mean()), 3), "max": float(difference.max())}
    yield Parity(f"decoder, {name}", values)
    if values["mean"] > MOST:
        yield Problem(f"{name}: pixels differ by {values['mean']} on average")


def _rate(decoder: BatchDecoder, name: str, body: bytes, batch: int, seconds: float) -> Figure:
    """Images per second, and CPU milliseconds of all threads of this process per image."""
    images, count, before = [np.frombuffer(body, np.uint8)] * batch, 0, time.process_time()

    def run() -> Sequence[U8 | None]:
        nonlocal count
        count += batch
        return decoder.decode(images)

    rate = calls_per_second(run, seconds) * batch
    used = (time.process_time() - before) / count
    values = {"images_per_s": round(rate, 1), "cpu_ms": round(1000 * used, 3)}
    return Figure(f"decoder, {name}, batch {batch}", values)


def cpu_ms(run: Callable[[], object]) -> float:
    """CPU milliseconds of this thread per call."""
    run()
    times = list[float]()
    for _ in range(ROUNDS):
        before = time.thread_time()
        run()
        times.append(time.thread_time() - before)
    return 1000 * median(times)


def worker_table(decoder: JpegDecoder, scenes: Sequence[str] = SCENES) -> Iterator[str]:
    """Yield a table: CPU milliseconds of a worker per image, by the size that it needs."""
    yield header("scene | pixels needed | libjpeg-turbo, ms | worker in front of a decoder, ms")
    for name in scenes:
        body, (width, height, _) = scene(name), MIXED[name]
        for divisor in (1, 2):
            side = max(width, height) // divisor
            opened = partial(open_picture, body, LIMITS, lambda *_, side=side: side)
            alone, front = cpu_ms(opened), cpu_ms(partial(opened, decoder=decoder))
            needed = f"{width // divisor}x{height // divisor}"
            yield row(name, needed, f"{alone:.2f}", f"{front:.2f}")


def main() -> None:
    """Print the table and where it was measured."""
    with served(*sys.argv[1:2] or [STAND_IN_DECODER]) as decoder:
        print(*worker_table(decoder), sep="\n")
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
