"""Exports Keras models as emotion networks: whole models, or weights of the classic CNN, to ONNX.

Needs Keras on TensorFlow, and tf2onnx: the extra `keras`.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from engines.errors import KerasMissingError, KerasModelError
from engines.keras import files
from engines.keras.classic import classic
from engines.keras.onnx import SIDE, to_onnx, write
from engines.types import F32


class Pixels(NamedTuple):
    """Input of a model: (grey level 0-255 - mean) / scale; one mean, or one per channel."""

    mean: tuple[float, ...] = (0.0,)
    scale: float = 255.0


def export(weights: Path, out: Path, labels: Sequence[str], pixels: Pixels | None = None) -> float:
    """Convert a Keras file to ONNX; return the largest difference to Keras over 64 random faces.

    `weights` is a whole model, `.keras` or `.h5` of Keras 2 or 3, whose input is one square image
    with one or three channels (a grey face is repeated in all three), or the weights of `classic`.
    `labels` are its classes in order. `pixels` is ignored for a model that takes integers.
    Inputs and outputs of `out` are those of `engines.keras.onnx.to_onnx`.

    Raises:
        KerasMissingError: Keras, TensorFlow or tf2onnx is not installed.
        KerasModelError: the file holds code, or has other inputs or outputs than an emotion model.
    """
    require()
    import tensorflow as tf  # noqa: PLC0415  (optional)

    kind = files.inspect(weights)
    model = _load(weights, kind, len(labels))
    side, channels = _input(model, weights)
    _check_outputs(model, weights, labels)
    prepare = _preparation(side, channels, pixels or Pixels(), str(model.inputs[0].dtype))
    faces = np.random.default_rng(0).integers(0, 256, (64, SIDE, SIDE)).astype(np.uint8)

    def raw(faces: Any) -> Any:
        return tf.cast(model(prepare(faces), training=False), tf.float32)

    finish = _finish(model, raw(tf.constant(faces)).numpy(), weights)

    def scores(faces: Any) -> Any:
        return finish(raw(faces))

    about = {"labels": ",".join(labels), "source": weights.name}
    return write(
        to_onnx(scores, len(labels)), out, faces, scores(tf.constant(faces)).numpy(), about
    )


def require() -> None:
    """Check that Keras on TensorFlow and tf2onnx are installed.

    Raises:
        KerasMissingError: one is not, or Keras runs on another backend.
    """
    try:
        import keras  # noqa: PLC0415  (optional)
        import tensorflow  # noqa: F401, PLC0415  (optional)
        import tf2onnx  # noqa: F401, PLC0415  (optional)
    except ImportError as error:
        raise KerasMissingError(
            f"exporting a Keras model needs {error.name}: run `pip install '.[keras]'`, best in "
            "an environment of its own"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise KerasMissingError("tf2onnx reads TensorFlow's graphs: set KERAS_BACKEND=tensorflow")


def _load(path: Path, kind: files.Kind, classes: int) -> Any:
    import keras  # noqa: PLC0415  (optional)

    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"model{kind}"  # Keras decides by the suffix
        shutil.copyfile(path, named)
        try:
            files.upgrade(named)
            if files.whole(path):
                return keras.saving.load_model(named, compile=False, safe_mode=True)
            model = classic(classes)
            model.load_weights(named)
        except Exception as error:  # layers' constructors may raise anything
            raise KerasModelError(_not_loaded(path, error)) from error
        return model


def _not_loaded(path: Path, error: Exception) -> str:
    if files.whole(path):
        reason = str(error).partition("\n")[0]
        return f"Keras 3 does not load {path} (models of Keras 2 go as .h5): {reason}"
    return (
        f"{path} holds weights alone, and they are not those of the classic four-convolution CNN "
        "with as many classes as there are labels; save the whole model"
    )


def _input(model: Any, path: Path) -> tuple[int, int]:
    """Side in pixels and channels (0 without a channel axis) of a model's input image."""
    inputs = model.inputs or []
    if len(inputs) != 1:
        raise KerasModelError(f"{path} takes {len(inputs)} inputs, not one image")
    shape = tuple(inputs[0].shape)
    height, width, channels = (*shape[1:], 0, 0, 0)[:3]
    if len(shape) not in {3, 4} or height != width or channels not in {0, 1, 3}:
        raise KerasModelError(
            f"{path} takes {shape}; an emotion network takes one square image, its one or three "
            "channels last"
        )
    return height or SIDE, channels


def _check_outputs(model: Any, path: Path, labels: Sequence[str]) -> None:
    shapes = [tuple(output.shape) for output in model.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise KerasModelError(
            f"{path} gives {shapes}; an emotion network gives one score per class"
        )
    if shapes[0][1] != len(labels):
        raise KerasModelError(
            f"{path} gives {shapes[0][1]} scores and there are {len(labels)} labels "
            f"({', '.join(labels)}); name its classes in its order with --labels a,b,c"
        )


def _finish(model: Any, raw: F32, path: Path) -> Callable[[Any], Any]:
    """The function from a model's outputs to scores: identity, or softmax if they are logits."""
    import tensorflow as tf  # noqa: PLC0415  (optional)

    if (raw >= 0).all() and np.allclose(raw.sum(axis=1), 1, atol=1e-3):
        return cast("Callable[[Any], Any]", tf.identity)
    name = getattr(getattr(model.layers[-1], "activation", None), "__name__", "linear")
    if name != "linear":
        raise KerasModelError(
            f"{path} ends in {name}; an emotion network ends in softmax or logits"
        )
    return cast("Callable[[Any], Any]", tf.nn.softmax)


def _preparation(side: int, channels: int, pixels: Pixels, dtype: str) -> Callable[[Any], Any]:
    """The function from faces, uint8 (N, 48, 48), to the model's input."""
    import tensorflow as tf  # noqa: PLC0415  (optional)

    if len(pixels.mean) not in {1, max(channels, 1)}:
        raise KerasModelError(
            f"the model has {channels} channels and --mean {len(pixels.mean)} values"
        )

    def prepare(faces: Any) -> Any:
        image = tf.cast(faces, tf.float32)[..., None]
        if side != SIDE:
            image = tf.image.resize(image, (side, side))
        if channels == 3:
            image = tf.repeat(image, 3, axis=-1)
        if "int" not in dtype:
            image = (image - tf.constant(pixels.mean)) / pixels.scale
        return tf.cast(image if channels else image[..., 0], dtype)

    return prepare
