"""Reads PyTorch state dicts without PyTorch, and unpickles nothing but tensors.

Reads both layouts of ``torch.save``: the zip archive since 1.6 (``data.pkl`` and an uncompressed
member per storage), and the stream before that (five pickles, then the storages).
``torch/serialization.py`` of https://github.com/pytorch/pytorch defines both.
"""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tensorrtx.errors import WeightsError
from tensorrtx.unpickle import Storage, Tensor, unpickle

STREAM_MAGIC = 0x1950A86A20F9469CFC6C


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Read the state dict of a file, or the one under its key ``state_dict``.

    Tensors are read-only views of their storages in their own dtype; bfloat16 becomes float32.
    The prefix ``module.`` of data-parallel training is dropped.

    Raises:
        WeightsError: the file has neither layout, is damaged, or holds anything but tensors.
        OSError: the file cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_archive(path)
        return _read_stream(path.read_bytes())
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise WeightsError(f"{path}: damaged archive: {error}") from error


def _read_archive(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickled = next((name for name in names if name.endswith("/data.pkl")), None)
        if pickled is None:
            raise WeightsError("a zip archive without data.pkl is not a PyTorch file")
        root = pickled.removesuffix("data.pkl")
        if f"{root}byteorder" in names:
            _check_order(_member(archive, f"{root}byteorder") == b"little")
        content, _ = unpickle(io.BytesIO(_member(archive, pickled)))
        return _tensors(content, lambda storage: _member(archive, f"{root}data/{storage.key}"))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if name not in archive.namelist():
        raise WeightsError(f"the archive lacks {name!r}")
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:  # torch.save never compresses; a zip bomb does
        raise WeightsError(f"the archive's {name!r} is compressed")
    try:
        return archive.read(info)
    except (OSError, ValueError, RuntimeError) as error:  # an offset beyond the file, a password
        raise WeightsError(f"the archive's {name!r} cannot be read: {error}") from error


def _read_stream(data: bytes) -> dict[str, NDArray[Any]]:
    stream = io.BytesIO(data)
    if not data.startswith(b"\x80") or unpickle(stream)[0] != STREAM_MAGIC:
        raise WeightsError("not a PyTorch file")
    unpickle(stream)  # the version of the protocol, which never changed
    match unpickle(stream)[0]:
        case {"little_endian": little}:
            _check_order(little is True)
    content, storages = unpickle(stream)
    places = _places(unpickle(stream)[0], storages, stream.tell())
    return _tensors(content, lambda storage: memoryview(data)[places[storage.key]])


def _places(keys: Any, storages: dict[str, Storage], start: int) -> dict[str, slice]:
    """The place of each storage: in the order of ``keys``, each after its length of eight bytes."""
    if not isinstance(keys, list) or set(keys) != set(storages):
        raise WeightsError("damaged: the storages are not those that the tensors refer to")
    places = {}
    for key in keys:
        places[key] = slice(start + 8, start + 8 + storages[key].nbytes)
        start = places[key].stop
    return places


def _check_order(little: bool) -> None:
    if not little:
        raise WeightsError("written by a big-endian machine")


def _tensors(
    content: Any, fetch: Callable[[Storage], bytes | memoryview]
) -> dict[str, NDArray[Any]]:
    """Return the tensors of a state dict; each storage is fetched once."""
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise WeightsError(f"expected a state dict, found {type(content).__name__}")
    fetched: dict[Storage, NDArray[Any]] = {}
    tensors = {}
    for name, tensor in content.items():
        match tensor:
            case Tensor(storage=Storage() as storage):
                if storage not in fetched:
                    fetched[storage] = storage.values(fetch(storage))
                tensors[str(name).removeprefix("module.")] = _view(name, tensor, fetched[storage])
            case _:
                raise WeightsError(f"{name!r}: expected a tensor, found {type(tensor).__name__}")
    return tensors


def _view(name: str, tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    try:
        return tensor.view(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise WeightsError(f"tensor {name!r}: {error}") from error
