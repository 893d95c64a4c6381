"""RetinaFace's layers, with weights under PyTorch's names (biubug6/Pytorch_Retinaface)."""

from typing import NamedTuple

from tensorrtx.layers import Affine, Graph, batch_norm
from tensorrtx.weights import Weights

EPSILON = 1e-5


class Layers(NamedTuple):
    """A graph under construction and its weights."""

    graph: Graph
    weights: Weights

    def norm(self, name: str, channels: int) -> Affine:
        """Take the weights of a batch normalisation."""
        gamma, beta, mean, variance = (
            self.weights.take(f"{name}.{part}", (channels,))
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return batch_norm(gamma, beta, mean, variance, EPSILON)

    def conv_norm(
        self,
        x: str,
        conv: str,
        norm: str,
        shape: tuple[int, int, int],
        *,
        stride: int = 1,
        slope: float | None = None,
        flip: bool = False,
    ) -> str:
        """Convolve by a square kernel of ``shape`` (out, in, side), normalise, and activate.

        ``slope`` is that of the leaky ReLU, None for no activation. ``flip`` reverses the input
        channels of the weights, so that a network trained on BGR takes RGB.
        """
        out, inner, side = shape
        kernel = self.weights.take(f"{conv}.weight", (out, inner, side, side))
        y = self.graph.conv(
            conv,
            x,
            kernel[:, ::-1] if flip else kernel,
            norm=self.norm(norm, out),
            stride=stride,
            padding=side // 2,
        )
        return y if slope is None else self.graph.leaky(y, slope)
