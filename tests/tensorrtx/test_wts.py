"""The .wts format: reading, writing, damaged files."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tensorrtx import WeightsError, wts

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1)
VALUES = arrays.arrays(np.float32, arrays.array_shapes(min_dims=0, min_side=0))


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_tensors_are_read_as_they_were_written(tensors: dict[str, NDArray[np.float32]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.wts"
        wts.write(path, tensors)
        found = wts.read(path)
        assert [entry.name for entry in path.parent.iterdir()] == ["weights.wts"]
    assert list(found) == list(tensors)
    for name, values in tensors.items():
        assert found[name].tobytes() == values.tobytes()


def test_the_format_is_that_of_tensorrtx(tmp_path: Path) -> None:
    path = tmp_path / "weights.wts"
    wts.write(path, {"conv.weight": np.array([[1.0], [-2.5]], np.float32)})
    assert path.read_text() == "1\nconv.weight 2 3f800000 c0200000\n"


def test_doubled_blanks_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.wts"
    path.write_bytes(b"2\r\na 2  3f800000 C0200000\r\nb 0 \r\n")
    found = wts.read(path)
    np.testing.assert_array_equal(found["a"], np.array([1, -2.5], np.float32))
    assert found["b"].shape == (0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must count the tensors"),
        ("many\n", "first line must count the tensors"),
        ("1\n", "tensor 1: expected 'name n hex...', found b''"),
        ("1\na x 00000000\n", "tensor 1: expected 'name n hex...'"),
        (f"1\na {'9' * 5000} 00000000\n", "tensor 1: expected 'name n hex...'"),
        ("1\na 2 3f800000\n", "tensor 'a': expected 2 values, found 1$"),
        ("1\na 2 3f800000 3f80\n", "tensor 'a': expected 2 values, found 1.5$"),
        ("1\na 1 3f800000 3f800000\n", "tensor 'a': expected 1 values, found 2$"),
        ("1\na 1 3f80000g\n", "tensor 'a': non-hexadecimal number"),
        ("1\na 1 3f80000\u00e9\n", "tensor 'a': "),
        ("1\na 1 3f800000\nb 1 3f800000\n", "1 tensors promised, but b'b 1 3f800000' follows"),
        ("2\na 1 3f800000\na 1 3f800000\n", "only 1 names differ"),
    ],
)
def test_damage_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "weights.wts"
    path.write_text(text)
    with pytest.raises(WeightsError, match=message) as error:
        wts.read(path)
    assert str(path) in str(error.value)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.wts"
    wts.write(path, {"a": np.ones(3, np.float32), "b": np.ones(2, np.float32)})
    whole = path.read_bytes().rstrip()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            wts.read(path)


@pytest.mark.parametrize("name", ["", "two words", "line\nend"])
def test_a_name_of_several_words_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="a name is one word"):
        wts.write(tmp_path / "weights.wts", {name: np.ones(1, np.float32)})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.wts"
    wts.write(path, {"a": np.ones(1, np.float32)})
    old = path.read_bytes()
    with pytest.raises(ValueError, match="could not convert"):
        wts.write(path, {"a": np.array(["x"])})
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
