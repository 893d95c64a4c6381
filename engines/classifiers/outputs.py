"""The scores that a classifier gives: their number, and whether they are a softmax or logits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from engines.errors import ClassifierError
from engines.types import F32, Array

FACES = 64  # random ones, with which a graph is compared with its file
# Operators that a model may have after its last layer without changing the values.
SHAPING = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose"}
# Operators after which values are no logits.
BOUNDED = {
    "Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Relu", "Selu",
    "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh",
}  # fmt: skip


def only(model: onnx.ModelProto, path: Path) -> onnx.ValueInfoProto:
    """Return the only output of a graph.

    Raises:
        ClassifierError: it has several.
    """
    found: list[onnx.ValueInfoProto] = list(model.graph.output)
    if len(found) != 1:
        raise ClassifierError(
            f"{path} gives {len(found)} outputs; an emotion network gives one score per class"
        )
    return found[0]


def check_classes(raw: Array, labels: Sequence[str], path: Path) -> None:
    """Check what a model gives for `FACES` images; `path` is its file, for messages.

    Raises:
        ClassifierError: it is not one float per image and label.
    """
    if raw.ndim and len(raw) != FACES:
        raise ClassifierError(
            f"{path} gives {len(raw)} rows for {FACES} images; export it with a free batch axis "
            "(dynamic_axes of torch.onnx.export)"
        )
    if raw.ndim != 2 or not np.issubdtype(raw.dtype, np.floating):
        axes = ", ".join(map(str, raw.shape[1:]))
        raise ClassifierError(
            f"{path} gives (N, {axes}) {raw.dtype}; an emotion network gives one score per class"
        )
    if raw.shape[1] != len(labels):
        raise ClassifierError(
            f"{path} gives {raw.shape[1]} scores and there are {len(labels)} labels "
            f"({', '.join(labels)}); name its classes in its order with --labels a,b,c"
        )


def sum_to_one(raw: Array) -> bool:
    """Whether each row is a softmax."""
    return bool((raw >= 0).all() and np.allclose(raw.sum(axis=1), 1, atol=1e-3))


def check_logits(body: onnx.ModelProto, path: Path) -> None:
    """Check that a graph that does not end in a softmax ends in logits.

    Raises:
        ClassifierError: its last operator bounds its values.
    """
    makers = {name: node for node in body.graph.node for name in node.output}
    node = makers.get(body.graph.output[0].name)
    while node is not None and node.op_type in SHAPING:
        node = makers.get(node.input[0])
    if node is not None and node.op_type in BOUNDED:
        raise ClassifierError(
            f"{path} ends in {node.op_type}; an emotion network ends in softmax or logits"
        )


def softmax(logits: F32) -> F32:
    """Softmax over the classes of (N, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
