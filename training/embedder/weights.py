"""Reads and writes `.wts` files with the names of tensorrtx."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tensorrtx import wts
from tensorrtx.arcface.layers import LAST_EPSILON
from tensorrtx.arcface.mobilefacenet import EPSILON
from tensorrtx.layers import batch_norm
from training.embedder.network import Layer, MobileFaceNet

STATISTICS = ("gamma", "beta", "moving_mean", "moving_var")
Tensors = dict[str, NDArray[np.float32]]


class Names(NamedTuple):
    """Names of the tensors of a layer, and the epsilon of its normalisation."""

    kernel: str
    norm: str
    slope: str
    epsilon: float


def names(layer: Layer) -> Names:
    """Return the names of a layer; the dense layer at the end has names of its own."""
    if layer.name == "fc1":
        return Names("fc1_weight", "fc1", "", LAST_EPSILON)
    name = layer.name
    return Names(f"{name}_conv2d_weight", f"{name}_batchnorm", f"{name}_relu_gamma", EPSILON)


def layers(network: MobileFaceNet) -> Iterator[Layer]:
    """Yield all layers, in the order of computation."""
    for block in network.blocks:
        yield from block


def load_wts(path: Path) -> MobileFaceNet:
    """Load a network from `path`, with normalisations folded.

    Raises `KeyError` for a missing tensor and `ValueError` for one of the wrong size.
    """
    network, tensors = MobileFaceNet(), wts.read(path)
    with torch.no_grad():
        for layer in layers(network):
            _fill(layer, tensors)
    network.eval()
    return network


def _fill(layer: Layer, tensors: Tensors) -> None:
    kernel, norm, slope, epsilon = names(layer)
    gamma, beta, mean, variance = (tensors[f"{norm}_{part}"] for part in STATISTICS)
    scale, shift = batch_norm(gamma, beta, mean, variance, epsilon)
    values = tensors[kernel].reshape(tuple(layer.weight.shape))
    layer.weight.copy_(torch.from_numpy(values * scale[:, None, None, None]))
    bias = tensors["pre_fc1_bias"] if layer.name == "fc1" else 0.0
    layer.bias.copy_(torch.from_numpy(scale * bias + shift))
    if layer.slope is not None:
        layer.slope.copy_(torch.from_numpy(tensors[slope].copy()))


def save_wts(path: Path, network: MobileFaceNet) -> None:
    """Write the network; its normalisations only add the bias."""
    tensors: Tensors = {}
    for layer in layers(network):
        tensors |= _tensors(layer)
    wts.write(path, tensors)


def _tensors(layer: Layer) -> Tensors:
    kernel, norm, slope, epsilon = names(layer)
    one = np.ones(len(layer.bias), np.float32)
    bias = _numbers(layer.bias)
    tensors = {kernel: _numbers(layer.weight)}
    if layer.name == "fc1":
        tensors["pre_fc1_bias"], bias = bias, 0 * one
    values = (one, bias, 0 * one, (1 - epsilon) * one)
    tensors |= {f"{norm}_{part}": v for part, v in zip(STATISTICS, values, strict=True)}
    return tensors if layer.slope is None else tensors | {slope: _numbers(layer.slope)}


def _numbers(values: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(values.detach().cpu().numpy(), np.float32)
