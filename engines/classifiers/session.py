"""Runs a graph on the CPU, to learn what it gives."""

from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime

from engines.errors import ClassifierError
from engines.types import Array, Feeds


def runner(model: onnx.ModelProto, path: Path) -> Callable[[Feeds], list[Array]]:
    """Load a graph in ONNX Runtime as a function to its outputs; `path` is its file, for messages.

    Raises:
        ClassifierError: ONNX Runtime does not load it, or, from the function, does not run it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the exception has the message
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have no common base class
        raise _failed(path, error) from error

    def run(feeds: Feeds) -> list[Array]:
        try:
            return list(session.run(None, dict(feeds)))
        except Exception as error:
            raise _failed(path, error) from error

    return run


def _failed(path: Path, error: Exception) -> ClassifierError:
    reason = str(error).strip().partition("\n")[0]
    return ClassifierError(f"ONNX Runtime does not run {path}: {reason}")
