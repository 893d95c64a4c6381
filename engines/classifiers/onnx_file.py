"""Reads a classifier from an ONNX file, and refuses what only its own program could run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import inliner

from engines.classifiers.session import runner
from engines.errors import ClassifierError
from engines.types import F32, Array
from tensorrtx import WeightsError, onnx_file
from tensorrtx.layers import OPSET


def read(path: Path) -> tuple[onnx.ModelProto, Callable[[Array], F32]]:
    """Return the graph of a file, as `tensorrtx.onnx_file.freed`, and the file as a function.

    The function takes images as the file does, a batch of any size, and runs them one by one.

    Raises:
        ClassifierError: it is not ONNX, its weights are in another file, it needs operators beyond
            ONNX's own, it takes more than one image at a time, or its opset is too old.
        OSError: it cannot be read.
    """
    try:
        model = onnx_file.read(path)
        if model.functions:
            model = inliner.inline_local_functions(model)
        _check_operators(model, path)
        _check_batch(model, path)
        current = model if onnx_file.opset(model) >= OPSET else onnx_file.converted(model, path)
        return onnx_file.freed(current), _alone(model, path)
    except (ClassifierError, OSError):
        raise
    except WeightsError as error:
        raise ClassifierError(str(error)) from error
    except Exception as error:  # onnx accepts names that are no text, and its own functions fail
        raise ClassifierError(f"{path}: not a valid ONNX file") from error


def _alone(model: onnx.ModelProto, path: Path) -> Callable[[Array], F32]:
    run, names = runner(model, path), [value.name for value in onnx_file.inputs(model)]
    return lambda images: np.concatenate([run({names[0]: image[None]})[0] for image in images])


def _check_operators(model: onnx.ModelProto, path: Path) -> None:
    foreign = {
        f"{node.domain}.{node.op_type}"
        for node in onnx_file.nodes(model.graph)
        if node.domain not in {"", "ai.onnx"}
    }
    if foreign:
        raise ClassifierError(
            f"{path} needs {', '.join(sorted(foreign))}, which ONNX does not define; export the "
            "model with ONNX's own operators, without a graph optimizer"
        )


def _check_batch(model: onnx.ModelProto, path: Path) -> None:
    for value in onnx_file.inputs(model):
        batch = onnx_file.shape(value)[:1]
        if batch and isinstance(batch[0], int) and batch[0] != 1:
            raise ClassifierError(
                f"{path} takes exactly {batch[0]} images at a time; export it for one image, or "
                "with a free batch axis (dynamic_axes of torch.onnx.export)"
            )
