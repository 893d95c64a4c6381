"""The ``.wts`` text format of wang-xinyu/tensorrtx: one tensor a line, without its shape.

The first line counts the tensors. Every other line is ``name n hex hex ...``: n float32 values,
each as eight hexadecimal digits of its big-endian bytes, separated by single blanks.
"""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorrtx.errors import WeightsError

DIGITS = 9  # eight hexadecimal digits and a blank


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read every tensor of a file as a one-dimensional array.

    Raises:
        WeightsError: the file is not of this format; names the tensor and what was expected.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        count = _read_count(path, file)
        tensors = dict(_read_tensor(path, file, number) for number in range(1, count + 1))
        if rest := file.read(80).strip():
            raise WeightsError(f"{path}: {count} tensors promised, but {rest[:40]!r} follows them")
    if len(tensors) != count:
        raise WeightsError(
            f"{path}: {count} tensors promised, but only {len(tensors)} names differ"
        )
    return tensors


def _read_count(path: Path, file: BinaryIO) -> int:
    first = file.readline(32).strip()
    if not first.isdigit():
        raise WeightsError(f"{path}: the first line must count the tensors, it reads {first!r}")
    return int(first)


def _read_tensor(path: Path, file: BinaryIO, number: int) -> tuple[str, NDArray[np.float32]]:
    name, size, digits = _split(path, file.readline(), number)
    wanted = size * DIGITS - 1
    if size and len(digits) != wanted:
        found = (len(digits) + 1) / DIGITS
        raise WeightsError(f"{path}: tensor {name!r}: expected {size} values, found {found:g}")
    try:
        values = np.frombuffer(bytes.fromhex(digits.decode()), ">f4").astype(np.float32)
    except ValueError as error:
        raise WeightsError(f"{path}: tensor {name!r}: not hexadecimal: {error}") from None
    if values.size != size:
        raise WeightsError(f"{path}: tensor {name!r}: expected {size} values, found {values.size}")
    return name, values


def _split(path: Path, line: bytes, number: int) -> tuple[str, int, bytes]:
    name, _, rest = line.rstrip().partition(b" ")
    size, _, digits = rest.partition(b" ")
    if not name or not size.isdigit():
        raise WeightsError(
            f"{path}: tensor {number}: expected 'name n hex...', found {line[:40]!r}"
        )
    return name.decode(errors="backslashreplace"), int(size), digits


def write(path: Path, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Write tensors of any shape in their order; the file appears whole or not at all.

    Raises:
        WeightsError: a name is empty or holds white space, which the format cannot tell apart.
        OSError: the file cannot be written.
    """
    for name in tensors:
        if name.split() != [name]:
            raise WeightsError(f"{path}: tensor {name!r}: a name is one word")
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.writelines(_lines(tensors))
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _lines(tensors: Mapping[str, NDArray[np.float32]]) -> Iterable[bytes]:
    yield f"{len(tensors)}\n".encode()
    for name, values in tensors.items():
        digits = np.ascontiguousarray(values, dtype=">f4").tobytes().hex(" ", 4)
        yield f"{name} {values.size} {digits}".rstrip().encode() + b"\n"
