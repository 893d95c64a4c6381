"""Reading PyTorch files: both layouts, and only tensors."""

import collections
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tensorrtx import WeightsError, pth, weights
from tests.tensorrtx import golden, torch_files
from tests.tensorrtx.torch_files import FakeStorage, FakeTensor, tensor

BASE = np.arange(12, dtype=np.float32)
STORAGE = FakeStorage("FloatStorage", "0", BASE.tobytes(), 12)
LAYOUTS = ["archive", "stream"]


def write(path: Path, content: Any, layout: str) -> Path:
    if layout == "archive":
        torch_files.write_archive(path, torch_files.archive(content))
    else:
        path.write_bytes(torch_files.stream(content))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "F.pth"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_of_every_kind_are_read(path: Path, layout: str) -> None:
    numbers = np.array([1.5, -2.0, 0.25], np.float32)
    content = collections.OrderedDict(
        whole=FakeTensor(STORAGE, 0, (3, 4), (4, 1)),
        turned=FakeTensor(STORAGE, 1, (3, 2), (1, 4)),
        scalar=tensor(np.array(7), "1", "LongStorage"),
        empty=tensor(np.zeros((0, 3), np.float32), "2"),
        double=tensor(numbers.astype(np.float64), "3", "DoubleStorage"),
        half=tensor(numbers.astype(np.float16), "4", "HalfStorage"),
        brain=tensor(torch_files.bfloat16(numbers), "5", "BFloat16Storage"),
    )
    found = pth.read(write(path, content, layout))
    np.testing.assert_array_equal(found["whole"], BASE.reshape(3, 4))
    np.testing.assert_array_equal(found["turned"], [[1, 5], [2, 6], [3, 7]])
    assert found["scalar"] == 7
    assert found["empty"].shape == (0, 3)
    for name in ("double", "half", "brain"):
        np.testing.assert_array_equal(found[name], numbers)
    assert weights.load(path).take("turned", (3, 2)).dtype == np.float32


@pytest.mark.parametrize("layout", LAYOUTS)
def test_checkpoints_are_unwrapped(path: Path, layout: str) -> None:
    window = FakeTensor(STORAGE, 0, (12,), (1,))
    content = {"epoch": 3, "state_dict": {"module.a": window, "b": window}, "optimizer": [window]}
    assert list(pth.read(write(path, content, layout))) == ["a", "b"]


def test_a_real_file_is_read() -> None:
    found = pth.read(golden.shared("mobilenetV1X0.25_pretrain.tar"))
    assert found["stage1.0.0.weight"].shape == (8, 3, 3, 3)
    assert found["stage1.0.1.num_batches_tracked"] == 90090
    assert len(found) == 164


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.reduced


@pytest.mark.parametrize("layout", LAYOUTS)
def test_anything_but_tensors_is_refused_by_its_name(path: Path, layout: str) -> None:
    mark = path.with_name("mark")
    write(path, {"a": Call(os.system, f"touch {mark}")}, layout)
    with pytest.raises(WeightsError, match=r"F.pth: refused: the pickle asks for posix\.system"):
        pth.read(path)
    write(path, {"a": Call(eval, "1")}, layout)
    with pytest.raises(WeightsError, match=r"asks for (__builtin__|builtins)\.eval"):
        pth.read(path)
    assert not mark.exists()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "window",
    [
        (0, (13,), (1,)),
        (1, (12,), (1,)),
        (-1, (2,), (1,)),
        (11, (2,), (-1,)),
        (0, (-1,), (1,)),
        (0, (3, 4), (4, 2)),
        (0, (10**9,), (0,)),
        (0, (0, 2**70), (1, 1)),
        (0, (1,), (2**70,)),
        (0, (2, 2), (1,)),
        (0, "ab", (1, 1)),
        (0, (2.0,), (1,)),
        (0, 3, 1),
    ],
)
def test_windows_beyond_their_storage_are_refused(path: Path, layout: str, window: Any) -> None:
    write(path, {"a": FakeTensor(STORAGE, *window)}, layout)
    with pytest.raises(WeightsError, match="tensor 'a'"):
        pth.read(path)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a state dict, found list"),
        ({"epoch": 3}, "'epoch': expected a tensor, found int"),
        ({"a": STORAGE}, "'a': expected a tensor, found Storage"),
        ({"a": FakeTensor("x", 0, (), ())}, "'a': expected a tensor, found Tensor"),
        ({"a": FakeTensor(STORAGE, 0, (), (), "other")}, "torch._utils._rebuild_other"),
        (
            {"a": FakeTensor(STORAGE._replace(size=-1), 0, (), ())},
            "refers to .*, which is no storage",
        ),
        (
            {"a": FakeTensor(STORAGE._replace(size=13), 0, (1,), (1,))},
            "storage '0': expected 52 bytes, found 48",
        ),
    ],
)
def test_other_content_is_named(path: Path, layout: str, content: Any, message: str) -> None:
    write(path, content, layout)
    with pytest.raises(WeightsError, match=message):
        pth.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"F/data.pkl": None}, "without data.pkl"),
        ({"F/data/0": None}, "lacks 'F/data/0'"),
        ({"F/data/0": bytes(47)}, "expected 48 bytes, found 47"),
        ({"F/byteorder": b"big"}, "big-endian"),
        # A reader with an array for a memo would make room for four thousand million entries.
        ({"F/data.pkl": b"\x80\x02}r\xff\xff\xff\xff0j\xff\xff\xff\xff."}, None),
        ({"F/data.pkl": b"\x80\x04\x8e" + (2**60).to_bytes(8, "little")}, "damaged pickle"),
        ({"F/data.pkl": b""}, "damaged pickle: EOFError"),
        ({"F/data.pkl": b"\x80\x02}."}, None),
    ],
)
def test_damaged_archives_are_named(path: Path, change: Any, message: str | None) -> None:
    members = torch_files.archive({"a": FakeTensor(STORAGE, 0, (12,), (1,))}) | change
    kept = {name: data for name, data in members.items() if data is not None}
    torch_files.write_archive(path, kept)
    if message is None:
        assert pth.read(path) == {}
    else:
        with pytest.raises(WeightsError, match=message):
            pth.read(path)


def test_compressed_members_are_refused(path: Path) -> None:
    members = torch_files.archive({"a": FakeTensor(STORAGE, 0, (12,), (1,))})
    torch_files.write_archive(path, members, zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match="is compressed"):
        pth.read(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a PyTorch file"),
        (b"1\na 1 00000000\n", "not a PyTorch file"),
        (pickle.dumps({}), "not a PyTorch file"),
        (torch_files.stream({}, little=False), "big-endian"),
        (
            torch_files.stream({"a": FakeTensor(STORAGE, 0, (12,), (1,))})[:-1],
            "expected 48 bytes, found 47",
        ),
    ],
)
def test_damaged_streams_are_named(path: Path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=message):
        pth.read(path)


def test_attributes_are_not_set(path: Path) -> None:
    """A pickle may give an object a state; here that would put `values` over the dictionary's."""
    class_ = b"ccollections\nOrderedDict\n)R}U\x05itemsK\x01sb."
    members = torch_files.archive({}) | {"F/data.pkl": b"\x80\x02" + class_}
    torch_files.write_archive(path, members)
    assert pth.read(path) == {}


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(LAYOUTS),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    st.integers(0, 2000),
)
@example("archive", [(818, 1)], 0)  # a place before the file's beginning
def test_bytes_changed_anywhere_give_tensors_or_the_error(
    path: Path, layout: str, changes: list[tuple[int, int]], cut: int
) -> None:
    content = {"a": FakeTensor(STORAGE, 0, (3, 4), (4, 1)), "b": tensor(BASE, "1")}
    data = bytearray(write(path, content, layout).read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data[: len(data) - cut] if cut < len(data) else data)
    try:
        found = pth.read(path)
    except WeightsError:
        return
    assert all(isinstance(values, np.ndarray) for values in found.values())
