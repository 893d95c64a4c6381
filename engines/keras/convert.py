"""Converts Keras files, whole models or weights of the classic CNN, to ONNX.

Needs Keras on TensorFlow, and tf2onnx: the extra `keras`.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from engines.errors import ClassifierError, KerasMissingError
from engines.keras import files
from engines.keras.classic import classic
from engines.keras.onnx import traced
from engines.types import F32, Array
from tensorrtx import onnx_file


def converted(path: Path, classes: int) -> tuple[onnx.ModelProto, Callable[[Array], F32]]:
    """Return a file as the graph of `tensorrtx.onnx_file.freed`, and as a function in Keras.

    The file is a whole model, `.keras` or `.h5` of Keras 2 or 3, or the weights of `classic` with
    this number of classes. The function takes a batch of images as the model does.

    Raises:
        KerasMissingError: Keras, TensorFlow or tf2onnx is not installed.
        ClassifierError: it holds code, or Keras 3 does not load it.
    """
    require()
    model = _load(path, files.inspect(path), classes)

    def run(images: Array) -> F32:
        return np.asarray(model(images, training=False), np.float32)

    return onnx_file.freed(traced(model)), run


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
            "a separate environment"
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
            raise ClassifierError(_not_loaded(path, error)) from error
        return model


def _not_loaded(path: Path, error: Exception) -> str:
    if files.whole(path):
        reason = str(error).partition("\n")[0]
        return f"Keras 3 does not load {path} (models of Keras 2 go as .h5): {reason}"
    return (
        f"{path} holds weights alone, and they are not those of the classic four-convolution CNN "
        "with as many classes as there are labels; save the whole model"
    )
