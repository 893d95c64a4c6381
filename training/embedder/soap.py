"""SOAP (Vyas et al., 2024, arXiv 2409.11321): Adam in the eigenbasis of Shampoo's statistics.

The maps between blocks are strongly correlated from channel to channel, which it takes account of:
in equal time a block gets nearer to the teacher's than with Adam (docs/LOG.md).
"""

# Torch is not installed where the service is checked, and its classes are unknown there.
# mypy: allow-subclassing-any, allow-untyped-decorators

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

BETA = 0.95  # of all running means
REFRESH = 10  # steps between updates of the bases
LOOK, SETTLE = 10, 5  # gradients before there are bases, and then before anything is changed
FLOOR = 1e-3  # of the mean deviation: directions without gradients hold nothing but rounding
TINY = 1e-30
OF_VECTORS = 0.25  # the rate's unit for biases and slopes
State = dict[str, Any]


class Soap(torch.optim.Optimizer):
    """Kernels (out, in, k, k) are matrices (out, in k k); depth-wise ones and vectors get Adam."""

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(groups, {"lr": 0.0})

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = parameter.grad.reshape(len(parameter), -1)
                    state, matrix = self.state[parameter], _is_matrix(parameter)
                    if not state:
                        _start(state, gradient, matrix)
                        state["scale"] = _scale(parameter)
                    change = _direction(state, gradient, matrix).reshape(parameter.shape)
                    parameter.sub_(group["lr"] * state["scale"] * change)


def _is_matrix(parameter: Tensor) -> bool:
    return bool(parameter.dim() == 4 and parameter.shape[1] > 1)


def _scale(parameter: Tensor) -> float:
    """The rate's unit: what a kernel's weights are in the mean."""
    return float(parameter.square().mean().sqrt()) if parameter.dim() == 4 else OF_VECTORS


def _direction(state: State, gradient: Tensor, matrix: bool) -> Tensor:
    """The change for a rate of 1; none while the statistics are still those of a few gradients."""
    state["step"] += 1
    if matrix:
        _observe(state, gradient)
    counted = state["step"] - LOOK
    if counted <= 0:
        return torch.zeros_like(gradient)
    turned = _into(state, gradient) if matrix else gradient
    state["mean"].lerp_(gradient, 1 - BETA)
    state["square"].lerp_(turned.square(), 1 - BETA)
    if counted <= SETTLE:
        return torch.zeros_like(gradient)
    mean = _into(state, state["mean"]) if matrix else state["mean"]
    root = (state["square"] * (1 - BETA ** float(counted))).sqrt()
    change = mean / (root + FLOOR * root.mean()).clamp_min(TINY)
    return state["rows"] @ change @ state["columns"].T if matrix else change


def _start(state: State, gradient: Tensor, matrix: bool) -> None:
    state["step"] = 0
    state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    if matrix:
        state["left"], state["right"] = gradient @ gradient.T, gradient.T @ gradient


def _into(state: State, values: Tensor) -> Tensor:
    """Values in the eigenbasis."""
    return torch.as_tensor(state["rows"].T @ values @ state["columns"])


def _axes(statistics: Tensor) -> Tensor:
    """The eigenvectors, those of most first.

    The iterations keep the first as they are and make the rest orthogonal to them. Begun with
    those of least, which hold nothing but rounding, they would mix it into all others.
    """
    return torch.as_tensor(torch.linalg.eigh(statistics)[1].flip(1))


def _observe(state: State, gradient: Tensor) -> None:
    """Follow the statistics; now and then a step of orthogonal iteration to their axes."""
    state["left"].lerp_(gradient @ gradient.T, 1 - BETA)
    state["right"].lerp_(gradient.T @ gradient, 1 - BETA)
    if state["step"] == LOOK:
        state["rows"], state["columns"] = _axes(state["left"]), _axes(state["right"])
    elif state["step"] > LOOK and state["step"] % REFRESH == 0:
        for basis, statistics in (("rows", "left"), ("columns", "right")):
            state[basis] = torch.linalg.qr(state[statistics] @ state[basis])[0]
