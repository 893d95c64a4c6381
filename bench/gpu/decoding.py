"""How fast JPEGs are decoded: by the service on one core, and by nvImageCodec on a GPU."""

from collections.abc import Callable, Iterator
from typing import Any

from analysis.decode import ImageLimits, decode
from bench.inputs.scenes import ONE_FACE, scene
from bench.measure.loops import calls_per_second
from bench.measure.output import header, row

BATCH = 32


def decoding_table(scenes: list[str], seconds: float) -> Iterator[str]:
    """Yield a table: images per second of each scene, on one core and on the GPU."""
    on_gpu, obstacle = _nvimagecodec()
    yield "\n" + header("scene | one CPU core, images/s | GPU, images/s")
    limits = ImageLimits(1 << 30, 1 << 30)
    for name in scenes:
        body, gpu = scene(name), "-"
        cpu = calls_per_second(lambda body=body: decode(body, limits), seconds)  # type: ignore[misc]
        if on_gpu:
            batches = calls_per_second(lambda body=body: on_gpu([body] * BATCH), seconds)  # type: ignore[misc]
            gpu = f"{batches * BATCH:.4g}"
        yield row(name, f"{cpu:.4g}", gpu)
    if obstacle:
        yield f"\nJPEG on the GPU was not measured: {obstacle}"


def _nvimagecodec() -> tuple[Callable[[list[bytes]], Any] | None, str]:
    try:
        from nvidia import nvimgcodec  # type: ignore[import-not-found]  # noqa: PLC0415  (optional)

        decoder = nvimgcodec.Decoder()
        decoder.decode([scene(ONE_FACE)])
    except Exception as error:  # its exceptions have no base class that is known without it
        return None, f"nvImageCodec: {error}"
    return decoder.decode, ""
