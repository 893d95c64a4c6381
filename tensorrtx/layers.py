"""An ONNX graph that is written node by node, and the layers that all networks share.

Methods take and return the names of feature maps. Batch normalisation is folded into the
convolution before it: y = s (W x + b) + t is a convolution with s W and s b + t.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # the oldest with opset 17: every runtime reads it
BATCH = "batch"
HEIGHT = "height"

Array = NDArray[np.floating[Any]]


class Affine(NamedTuple):
    """A trained batch normalisation: ``scale * x + shift``, one value of each per channel."""

    scale: Array
    shift: Array


def batch_norm(gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float) -> Affine:
    """Return a trained batch normalisation (Ioffe and Szegedy, 2015) in float64."""
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    return Affine(scale, beta - mean * scale)


class Graph:
    """A graph under construction; nodes, constants and outputs are in the order of the calls."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._scope = ""

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names of nodes written in the block with ``name/``."""
        outer, self._scope = self._scope, f"{self._scope}{name}/"
        yield
        self._scope = outer

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append an operator with one output."""
        return self.nodes(kind, 1, *inputs, **attributes)[0]

    def nodes(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Append an operator with several outputs."""
        name = f"{self._scope}{kind}_{len(self._nodes)}"
        names = [name] if outputs == 1 else [f"{name}.{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, name, **attributes))
        return names

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Store values as ``name`` in the current scope; float64 becomes float32."""
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        name = f"{self._scope}{name}"
        self._constants[name] = numpy_helper.from_array(values, name)
        return name

    def numbers(self, *values: float) -> str:
        """Store a float32 vector, or int64 if all values are int, named after its values."""
        integral = all(isinstance(value, int) for value in values)
        array = np.array(values, np.int64 if integral else np.float32)
        return self.constant("x".join(map(str, values)), array)

    def index(self, position: int) -> str:
        """Store an int64 scalar."""
        return self.constant(f"[{position}]", np.array(position, np.int64))

    def split(self, x: str, *sizes: int) -> list[str]:
        """Split the last of three axes into parts of these sizes."""
        return self.nodes("Split", len(sizes), x, self.numbers(*sizes), axis=2)

    def pixels(self, images: str, mean: tuple[float, float, float]) -> str:
        """uint8 (N, H, W, 3) minus a mean per channel -> float32 (N, 3, H, W).

        The mean is not folded into the first convolution, whose padding must stay zero. It is
        subtracted after the transposition, where the values of a channel are contiguous.
        """
        values = self.node("Cast", images, to=TensorProto.FLOAT)
        planes = self.node("Transpose", values, perm=[0, 3, 1, 2])
        return self.node("Sub", planes, self.constant("mean", np.array(mean)[:, None, None]))

    def conv(
        self,
        name: str,
        x: str,
        kernel: Array,
        *,
        norm: Affine | None = None,
        bias: Array | None = None,
        stride: int = 1,
        padding: int = 0,
    ) -> str:
        """Convolve with ``kernel`` (out, in / groups, k, k), then normalise.

        ``in / groups`` = 1 means depth-wise with groups = out: in these networks a depth-wise
        convolution keeps the number of channels.
        """
        if norm is not None:
            kernel = kernel * norm.scale[:, None, None, None]
            bias = norm.shift if bias is None else norm.scale * bias + norm.shift
        inputs = [x, self.constant(f"{name}.kernel", kernel)]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", bias))
        return self.node(
            "Conv",
            *inputs,
            group=kernel.shape[0] if kernel.shape[1] == 1 else 1,
            kernel_shape=kernel.shape[2:],
            pads=[padding] * 4,
            strides=[stride] * 2,
        )

    def affine(self, name: str, x: str, norm: Affine) -> str:
        """Normalise where there is no convolution before to fold it into."""
        channels = len(norm.scale)
        # Mean 0 and variance 1 leave scale and shift unchanged.
        values = [norm.scale, norm.shift, np.zeros(channels), np.ones(channels)]
        parts = zip(("scale", "shift", "mean", "variance"), values, strict=True)
        constants = [self.constant(f"{name}.{part}", array) for part, array in parts]
        return self.node("BatchNormalization", x, *constants, epsilon=0.0)

    def leaky(self, x: str, slope: float) -> str:
        """Leaky ReLU, or ReLU if the slope is 0."""
        return self.node("LeakyRelu", x, alpha=slope) if slope else self.node("Relu", x)

    def prelu(self, name: str, x: str, slopes: Array) -> str:
        """PReLU: a learned slope per channel for negative values."""
        return self.node("PRelu", x, self.constant(f"{name}.slopes", slopes[:, None, None]))

    def model(
        self,
        name: str,
        source: tuple[str, int, tuple[int | str, ...]],
        results: dict[str, tuple[str, tuple[int | str, ...]]],
    ) -> onnx.ModelProto:
        """Finish the graph: input (name, element type, shape), outputs {name: (map, shape)}."""
        for result, (value, _) in results.items():
            self._nodes.append(helper.make_node("Identity", [value], [result], f"{result}"))
        return helper.make_model(
            helper.make_graph(
                self._nodes,
                name,
                [helper.make_tensor_value_info(*source)],
                [
                    helper.make_tensor_value_info(result, TensorProto.FLOAT, shape)
                    for result, (_, shape) in results.items()
                ],
                list(self._constants.values()),
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
