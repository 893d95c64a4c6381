"""How fast JPEGs become pixels: by the service on a core, and by nvImageCodec on a GPU."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from analysis.decode import ImageLimits, decode
from bench.scenes import SIZES, scene

BATCH = 32


def decoding_table(scenes: list[str], seconds: float) -> Iterator[str]:
    """Yield a table: images a second of each scene, on one core and on the GPU."""
    on_gpu, obstacle = _nvimagecodec()
    yield "\n| scene | a CPU core, images/s | GPU, images/s |\n|---|---|---|"
    limits = ImageLimits(1 << 30, 1 << 30)
    for name in scenes:
        body = scene(name)
        cpu = _rate(lambda body=body: decode(body, limits), 1, seconds)  # type: ignore[misc]
        gpu = "-"
        if on_gpu is not None:
            batch = [body] * BATCH
            gpu = f"{_rate(lambda batch=batch: on_gpu(batch), BATCH, seconds):.4g}"  # type: ignore[misc]
        yield f"| {name} | {cpu:.4g} | {gpu} |"
    if obstacle:
        yield f"\nJPEG on the GPU was not measured: {obstacle}"


def _nvimagecodec() -> tuple[Callable[[list[bytes]], Any] | None, str]:
    try:
        from nvidia import nvimgcodec  # type: ignore[import-not-found]  # noqa: PLC0415

        decoder = nvimgcodec.Decoder()
        decoder.decode([scene(next(iter(SIZES)))])
    except Exception as error:  # it has no base class that could be named before it is imported
        return None, f"nvImageCodec: {error}"
    return decoder.decode, ""


def _rate(run: Callable[[], object], images: int, seconds: float) -> float:
    count, started = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - started < seconds:
        run()
        count += 1
    return count * images / (time.perf_counter() - started)
