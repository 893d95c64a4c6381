"""Exports a user's classifier, an ONNX or a Keras file, as an emotion network."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from engines.classifiers import onnx_file, outputs
from engines.classifiers.adapt import INPUT, Pixels, adapted
from engines.classifiers.image import SIDE, Image, image
from engines.classifiers.session import runner
from engines.disk import atomic_write
from engines.errors import ClassifierError
from engines.keras import convert, files
from engines.types import F32, U8, Array

TOLERANCE = 1e-4
PICKLE = b"\x80"  # its first byte


def export(weights: Path, out: Path, labels: Sequence[str], pixels: Pixels | None = None) -> float:
    """Write an emotion network; return its largest difference to the file over 64 random faces.

    `weights` is an ONNX file, or one of Keras as `engines.keras.convert.converted` takes it. The
    model takes one square image with one or three channels. `labels` are its classes in order.
    `out` has one input `faces`, uint8 (N, 48, 48), and one output `scores`, a softmax of float32
    (N, classes), for any N.

    Raises:
        KerasMissingError: it is a file of Keras, and Keras, TensorFlow or tf2onnx is not installed.
        ClassifierError: it is another file, holds code, or has other inputs or outputs.
    """
    pixels = pixels or Pixels()
    body, model = _opened(weights, len(labels))
    taken = image(body, weights)
    _check_pixels(taken, pixels)
    faces = np.random.default_rng(0).integers(0, 256, (outputs.FACES, SIDE, SIDE)).astype(np.uint8)
    raw, images = _looked_into(body, taken, pixels, faces, weights)
    outputs.check_classes(raw, labels, weights)
    softmax = not outputs.sum_to_one(raw)
    if softmax:
        outputs.check_logits(body, weights)
    graph = adapted(body, taken, pixels, len(labels), softmax=softmax)
    expected = model(images).astype(np.float32)
    about = {"labels": ",".join(labels), "source": weights.name}
    return write(graph, out, faces, outputs.softmax(expected) if softmax else expected, about)


def write(
    graph: onnx.ModelProto, out: Path, faces: U8, expected: F32, about: dict[str, str]
) -> float:
    """Write a graph of `adapted` with the metadata `about`; return its largest difference.

    `expected` (N, classes) are the scores of the original model for `faces`, uint8 (N, 48, 48).

    Raises:
        ClassifierError: a score differs by more than 1e-4; nothing is written.
    """
    helper.set_model_props(graph, about)
    _check_graph(graph, out)
    (scores,) = runner(graph, out)({"faces": faces})
    difference = float(np.abs(scores - expected).max())
    if not difference <= TOLERANCE:
        raise ClassifierError(
            f"the exported graph differs from the original model by {difference:.2e}; if the model "
            "was exported for one image, export it with a free batch axis"
        )
    with atomic_write(out) as temporary:
        temporary.write_bytes(graph.SerializeToString(deterministic=True))
    return difference


def _check_graph(graph: onnx.ModelProto, out: Path) -> None:
    try:
        onnx.checker.check_model(graph, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ClassifierError(f"{out} would not be valid ONNX: {reason}") from error


def _opened(path: Path, classes: int) -> tuple[onnx.ModelProto, Callable[[Array], F32]]:
    try:
        if _of_pytorch(path):
            raise ClassifierError(
                f"{path} is a file of PyTorch, which needs the program that made it; write the "
                "model as ONNX there with torch.onnx.export"
            )
        return convert.converted(path, classes) if files.of_keras(path) else onnx_file.read(path)
    except OSError as error:
        raise ClassifierError(f"cannot read {path}: {error.strerror or error}") from error


def _of_pytorch(path: Path) -> bool:
    """Whether a file is one of `torch.save`: a zip with a pickle or, before 2020, a pickle."""
    with path.open("rb") as file:
        if file.read(1) == PICKLE:
            return True
        try:
            names = zipfile.ZipFile(file).namelist()
        except zipfile.BadZipFile:
            return False
    return any(name.endswith("/data.pkl") for name in names)


def _check_pixels(taken: Image, pixels: Pixels) -> None:
    for option, values in zip(("mean", "scale"), pixels, strict=True):
        if len(values) not in {1, max(taken.channels, 1)}:
            raise ClassifierError(
                f"the model has {taken.channels} channels and --{option} {len(values)} values"
            )


def _looked_into(
    body: onnx.ModelProto, taken: Image, pixels: Pixels, faces: U8, path: Path
) -> tuple[Array, Array]:
    """What a graph gives for faces, and the images that it takes for them."""
    output = outputs.only(body, path)
    graph = adapted(body, taken, pixels, 1, softmax=False)
    del graph.graph.output[:]
    graph.graph.output.extend(
        helper.make_tensor_value_info(name, kind, None)
        for name, kind in (
            (output.name, output.type.tensor_type.elem_type),
            (INPUT, taken.kind),
        )
    )
    raw, images = runner(graph, path)({"faces": faces})
    return raw, images
