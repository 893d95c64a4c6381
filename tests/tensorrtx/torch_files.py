"""PyTorch's two file layouts, written without PyTorch, for tests of the reader."""

import collections
import io
import pickle
import struct
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Members = dict[str, bytes]
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class FakeStorage(NamedTuple):
    kind: str
    key: str
    data: bytes
    size: int


class FakeTensor:
    """Pickles like a tensor that is a window on a storage."""

    def __init__(
        self, storage: Any, offset: Any, shape: Any, strides: Any, function: str = "tensor_v2"
    ) -> None:
        self.arguments: tuple[Any, ...] = (
            storage,
            offset,
            shape,
            strides,
            False,
            collections.OrderedDict(),
        )
        self.function = function

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return getattr(sys.modules["torch._utils"], f"_rebuild_{self.function}"), self.arguments


def tensor(values: NDArray[Any], key: str, kind: str = "FloatStorage") -> FakeTensor:
    """A contiguous tensor with a storage of its own."""
    strides = tuple(step // values.itemsize for step in values.strides)
    return FakeTensor(
        FakeStorage(kind, key, values.tobytes(), values.size), 0, values.shape, strides
    )


@contextmanager
def torch_names(*storages: str) -> Iterator[None]:
    """Let pickle find the functions and classes that the files name."""
    torch, internals = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in storages:
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))
    for name in ("_rebuild_tensor_v2", "_rebuild_other"):
        function = types.FunctionType((lambda *_: None).__code__, {}, name)
        function.__module__, function.__qualname__ = "torch._utils", name
        setattr(internals, name, function)
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": internals}
    yield
    for name, module in before.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, legacy: bool) -> None:
        super().__init__(file, protocol=2)
        self.legacy = legacy
        self.storages: dict[str, FakeStorage] = {}

    def persistent_id(self, obj: Any) -> tuple[Any, ...] | None:
        if not isinstance(obj, FakeStorage):
            return None
        self.storages[obj.key] = obj
        kind = getattr(sys.modules["torch"], obj.kind)
        return ("storage", kind, obj.key, "cpu", obj.size) + ((None,) if self.legacy else ())


KINDS = ("FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage")


def _pickled(content: Any, legacy: bool) -> tuple[bytes, dict[str, FakeStorage]]:
    file = io.BytesIO()
    with torch_names(*KINDS):
        pickler = _Pickler(file, legacy)
        pickler.dump(content)
    return file.getvalue(), pickler.storages


def archive(content: Any) -> Members:
    """The members of a file as PyTorch 1.6 and later write it."""
    pickled, storages = _pickled(content, legacy=False)
    data = {f"F/data/{storage.key}": storage.data for storage in storages.values()}
    return {"F/data.pkl": pickled, "F/byteorder": b"little", **data, "F/version": b"3\n"}


def write_archive(path: Path, members: Members, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)


def stream(content: Any, little: bool = True) -> bytes:
    """A file as PyTorch wrote it before 1.6."""
    pickled, storages = _pickled(content, legacy=True)
    keys = sorted(storages)
    head = [pickle.dumps(value, 2) for value in (MAGIC, PROTOCOL, {"little_endian": little})]
    data = [struct.pack("<q", storages[key].size) + storages[key].data for key in keys]
    return b"".join([*head, pickled, pickle.dumps(keys, 2), *data])


def bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper halves of float32 values."""
    return (values.view(np.uint32) >> 16).astype(np.uint16)
