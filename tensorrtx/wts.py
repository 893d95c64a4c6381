"""The ``.wts`` text format of wang-xinyu/tensorrtx: one tensor per line, without its shape.

The first line counts the tensors. Every other line is ``name n hex hex ...``: n float32 values,
each as eight hexadecimal digits of its big-endian bytes, separated by blanks.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorrtx.errors import WeightsError

LONGEST_COUNT = 12  # digits; int() raises an error of its own for thousands of them


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read every tensor of a file as a one-dimensional array.

    Raises:
        WeightsError: the file has another format; names the tensor and what was expected.
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
    line = file.readline()
    words = line.split(maxsplit=2)
    if len(words) < 2 or not words[1].isdigit() or len(words[1]) > LONGEST_COUNT:
        raise WeightsError(
            f"{path}: tensor {number}: expected 'name n hex...', found {line[:40]!r}"
        )
    name, size = words[0].decode(errors="backslashreplace"), int(words[1])
    try:
        data = bytes.fromhex(words[2].decode()) if len(words) == 3 else b""
    except ValueError as error:
        raise WeightsError(f"{path}: tensor {name!r}: {error}") from None
    if len(data) != 4 * size:
        found = len(data) / 4
        raise WeightsError(f"{path}: tensor {name!r}: expected {size} values, found {found:g}")
    return name, np.frombuffer(data, ">f4").astype(np.float32)


def write(path: Path, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Write tensors of any shape in their order; the file appears complete or not at all.

    Raises:
        WeightsError: a name is empty or contains white space, which the format uses as separator.
        OSError: the file cannot be written.
    """
    for name in tensors:
        if name.split() != [name]:
            raise WeightsError(f"{path}: tensor {name!r}: a name is one word")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.writelines(_lines(tensors))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _lines(tensors: Mapping[str, NDArray[np.float32]]) -> Iterable[bytes]:
    yield f"{len(tensors)}\n".encode()
    for name, values in tensors.items():
        digits = np.ascontiguousarray(values, dtype=">f4").tobytes().hex(" ", 4)
        yield f"{name} {values.size} {digits}".rstrip().encode() + b"\n"
