"""ONNX files that cannot be an emotion network are refused; each row is one kind."""

import contextlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from engines.classifiers.adapt import Pixels
from engines.classifiers.export import export
from engines.errors import ClassifierError
from tests.cases import Case
from tests.engines.classifiers.graphs import linear

LABELS = ("happy", "neutral", "sad")


def external(path: Path) -> bytes:
    onnx.save(linear(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path.read_bytes()


def of_pytorch(_: Path) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("model/data.pkl", b"")
    return held.getvalue()


def no_input() -> onnx.ModelProto:
    model = linear()
    model.graph.initializer.append(
        helper.make_tensor("faces", TensorProto.FLOAT, [1, 1, 48, 48], [0.0] * 2304)
    )
    return model


def two_inputs() -> onnx.ModelProto:
    model = linear()
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ("N", 1)))
    return model


def two_outputs() -> onnx.ModelProto:
    model = linear()
    model.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("N", 3)))
    return model


def of_shape(*axes: int | str) -> onnx.ModelProto:
    model = linear()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("faces", TensorProto.FLOAT, axes))
    return model


def one_image_inside() -> onnx.ModelProto:
    """One image only, in a place that cannot be freed: every row becomes that of the first."""
    model = linear(batch=1)
    node = model.graph.node[3]
    node.CopyFrom(helper.make_node("Slice", ["logits", "zero", "one", "zero"], ["scores"], "end"))
    for name, value in (("zero", 0), ("one", 1)):
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [1], [value]))
    return model


UNUSABLE: list[tuple[Case, Any]] = [
    (
        Case(
            "weights in a second file",
            "a note how to write one file",
            "names `torch.onnx.export(..., external_data=False)`",
        ),
        external,
    ),
    (
        Case(
            "a file of `torch.save`", "a note how to bring the model", "names `torch.onnx.export`"
        ),
        of_pytorch,
    ),
    (
        Case("a file of `torch.save` before 2020", "the same", "names `torch.onnx.export`"),
        lambda _: b"\x80\x02\x8a\nl\xfc\x9cF",
    ),
    (
        Case("a `.wts` file", "an error", "`not a valid ONNX file`"),
        lambda _: b"253\nconv1.weight 3 3f800000\n",
    ),
    (Case("a zip that is cut", "an error", "`not a valid ONNX file`"), lambda _: b"PK\x03\x04"),
    (Case("an empty file", "an error", "`not a valid ONNX file`"), lambda _: b""),
    (
        Case(
            "operators that ONNX does not define",
            "an error that names them",
            "names `com.microsoft.Gelu`",
        ),
        linear(end="Gelu", domain="com.microsoft"),
    ),
    (Case("no input", "an error", "`takes 0 inputs`"), no_input()),
    (Case("two inputs", "an error", "`takes 2 inputs`"), two_inputs()),
    (Case("two outputs", "an error", "`gives 2 outputs`"), two_outputs()),
    (
        Case("an oblong image", "an error that names its size", "`takes (N, 1, 48, 40)`"),
        of_shape("N", 1, 48, 40),
    ),
    (
        Case("a row of pixels", "an error that names its size", "`takes (N, 2304)`"),
        of_shape("N", 2304),
    ),
    (
        Case(
            "several images at a time", "an error that names its size", "`takes (N, 9, 1, 48, 48)`"
        ),
        of_shape("N", 9, 1, 48, 48),
    ),
    (
        Case("five channels", "an error that names its size", "`takes (N, 5, 48, 48)`"),
        of_shape("N", 5, 48, 48),
    ),
    (
        Case(
            "an image of another size than its layers take",
            "an error",
            "`ONNX Runtime does not run`",
        ),
        of_shape("N", 1, 40, 40),
    ),
    (
        Case(
            "a batch of exactly four",
            "an error that names the fix",
            "`takes exactly 4 images`, names `dynamic_axes`",
        ),
        linear(batch=4),
    ),
    (
        Case(
            "a batch of one inside the graph",
            "an error that names the fix",
            "`gives 1 rows for 64 images`, names `free batch axis`",
        ),
        one_image_inside(),
    ),
    (Case("a sigmoid at the end", "an error", "`ends in Sigmoid`"), linear(end="Sigmoid")),
    (
        Case(
            "five scores and three labels",
            "an error that names the option",
            "`gives 5 scores and there are 3 labels`, names `--labels`",
        ),
        linear(classes=5),
    ),
    (
        Case("an opset that does not exist yet", "an error", "`ONNX Runtime does not run`"),
        linear(opset=999),
    ),
]


@pytest.mark.parametrize(("case", "model"), UNUSABLE, ids=[row[0].input for row in UNUSABLE])
def test_an_unusable_file_is_refused(case: Case, model: Any, tmp_path: Path) -> None:
    file = tmp_path / "theirs.onnx"
    file.write_bytes(model(file) if callable(model) else model.SerializeToString())
    with pytest.raises(ClassifierError) as refused:
        export(file, tmp_path / "own.onnx", LABELS)
    named = re.findall(r"`([^`]+)`", case.happens)
    assert named
    assert all(text in str(refused.value) for text in named), refused.value
    assert not (tmp_path / "own.onnx").exists()


SMALL = linear(8, batch=1).SerializeToString()


@given(
    length=st.sampled_from([len(SMALL), len(SMALL) // 2, 100]),
    changes=st.dictionaries(st.integers(0, 99), st.integers(0, 255), max_size=4),
    end=st.dictionaries(st.integers(1, 300), st.integers(0, 255), max_size=4),
)
@example(length=len(SMALL), changes={SMALL.index(b"logits"): 255}, end={})
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_refused_or_read(
    tmp_path: Path, length: int, changes: dict[int, int], end: dict[int, int]
) -> None:
    content = bytearray(SMALL)
    for place, value in (changes | {-place: value for place, value in end.items()}).items():
        content[place] = value
    (tmp_path / "theirs.onnx").write_bytes(content[:length])
    with contextlib.suppress(ClassifierError):
        export(tmp_path / "theirs.onnx", tmp_path / "own.onnx", LABELS)


@pytest.mark.parametrize("pixels", [Pixels((1.0, 2.0)), Pixels(scale=(1.0, 2.0, 3.0))])
def test_there_is_one_number_or_one_per_channel(pixels: Pixels, tmp_path: Path) -> None:
    file = tmp_path / "theirs.onnx"
    file.write_bytes(linear().SerializeToString())
    with pytest.raises(ClassifierError, match="1 channels and --"):
        export(file, tmp_path / "own.onnx", LABELS, pixels)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for file in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ClassifierError, match="cannot read"):
            export(file, tmp_path / "own.onnx", LABELS)
