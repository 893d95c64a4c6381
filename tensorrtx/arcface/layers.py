"""ArcFace's layers, with weights under MXNet's names (deepinsight/insightface)."""

from typing import NamedTuple

from tensorrtx.layers import Affine, Array, Graph, batch_norm
from tensorrtx.weights import Weights

LAST_EPSILON = 2e-5  # of the normalisation at the end of each network


class Layers(NamedTuple):
    """A graph under construction, its weights, and the epsilon of its normalisations."""

    graph: Graph
    weights: Weights
    epsilon: float

    def norm(self, name: str, channels: int, epsilon: float | None = None) -> Affine:
        """Take the weights of a batch normalisation."""
        gamma, beta, mean, variance = (
            self.weights.take(f"{name}_{part}", (channels,))
            for part in ("gamma", "beta", "moving_mean", "moving_var")
        )
        return batch_norm(gamma, beta, mean, variance, epsilon or self.epsilon)

    def conv(
        self,
        x: str,
        names: tuple[str, str],
        shape: tuple[int, int, int],
        *,
        stride: int = 1,
        padding: int | None = None,
        scale: float = 1.0,
    ) -> str:
        """Convolve by a square kernel of ``shape`` (out, in, side) and normalise.

        ``names`` are those of the kernel and the normalisation; the input is divided by ``scale``.
        """
        out, inner, side = shape
        kernel = self.weights.take(f"{names[0]}_weight", (out, inner, side, side)) / scale
        padding = side // 2 if padding is None else padding
        norm = self.norm(names[1], out)
        return self.graph.conv(names[0], x, kernel, norm=norm, stride=stride, padding=padding)

    def prelu(self, x: str, name: str, channels: int) -> str:
        """Activate with a learned slope per channel."""
        return self.graph.prelu(name, x, self.weights.take(f"{name}_gamma", (channels,)))

    def dense(self, x: str, kernel: Array, bias: Array) -> str:
        """(N, channels, h, w) -> (N, out): the fully connected layer and the last normalisation."""
        norm = self.norm("fc1", len(bias), LAST_EPSILON)
        return self.graph.node(
            "Gemm",
            self.graph.node("Flatten", x),
            self.graph.constant("fc1.kernel", kernel * norm.scale[:, None]),
            self.graph.constant("fc1.bias", norm.scale * bias + norm.shift),
            transB=1,
        )
