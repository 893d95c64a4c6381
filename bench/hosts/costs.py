"""CPU time per image, measured by `bench.hosts.measure` and kept in a JSON file."""

from pathlib import Path

import msgspec

MEASURED = Path(__file__).with_name("measured.json")


class Costs(msgspec.Struct, frozen=True):
    """One kind of image, and the CPU milliseconds that it costs on one core.

    input_pixels: of the detector's input; jpeg_bytes: size of the file; http_ms,
    worker_ms: of the HTTP processes and of the workers; decode_ms, letterbox_ms: the parts of
    `worker_ms` that decode the JPEG and fill the detector's input; front_ms: what the worker does
    instead of decoding if the GPU decodes; copy_ms: to copy all pixels once; device_ms: of the
    device process, whose batches have the rows of several images; alone_ms: of the device process
    if each batch has the rows of one image, from a single client.
    """

    width: int
    height: int
    faces: int
    input_pixels: int
    jpeg_bytes: int
    http_ms: float
    worker_ms: float
    decode_ms: float
    front_ms: float
    letterbox_ms: float
    copy_ms: float
    device_ms: float
    alone_ms: float

    @property
    def pixel_bytes(self) -> int:
        """The size of the decoded image."""
        return 3 * self.width * self.height


class Measured(msgspec.Struct, frozen=True):
    """The costs by kind of image, and where and how they were measured.

    share: of the best rate of a simulated device that the service reached, see `bench.host`.
    """

    machine: str
    share: float
    costs: dict[str, Costs]


def load(path: Path = MEASURED) -> Measured:
    """Read a file that `save` wrote.

    Raises:
        OSError: it cannot be read.
        msgspec.DecodeError: it is not such a file.
    """
    return msgspec.json.decode(path.read_bytes(), type=Measured)


def save(measured: Measured, path: Path) -> None:
    """Write a file for people and for `load`."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
