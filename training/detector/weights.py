"""Reads and writes weights: `.wts` files and the ImageNet body."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tensorrtx import wts
from training.detector.network import RetinaFace

COUNTER = "num_batches_tracked"  # of batch normalisation; no engine reads it
# The classifier was trained on RGB in [0, 1] over this deviation; the detector reads BGR bytes.
IMAGENET_DEVIATION = 255 * 0.226


def load_wts(path: Path) -> RetinaFace:
    """Load a network in evaluation mode from `path`.

    Raises `KeyError` for a missing tensor and `RuntimeError` for one of the wrong size.
    """
    network, tensors = RetinaFace(), wts.read(path)
    state = network.state_dict()
    for name, value in state.items():
        if not name.endswith(COUNTER):
            state[name] = torch.from_numpy(tensors[name].copy()).reshape(value.shape)
    network.load_state_dict(state)
    network.eval()
    return network


def save_wts(path: Path, network: nn.Module) -> None:
    """Write the tensors of `network` in their order, without batch counters."""
    state = {k: v for k, v in network.state_dict().items() if not k.endswith(COUNTER)}
    wts.write(path, {k: v.detach().cpu().numpy().astype(np.float32) for k, v in state.items()})


def load_backbone(network: RetinaFace, path: Path) -> None:
    """Load the body from an ImageNet MobileNet-V1 x0.25 (a PyTorch file with `state_dict`)."""
    stored: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)[
        "state_dict"
    ]
    state = {name.removeprefix("module."): value for name, value in stored.items()}
    state = {name: value for name, value in state.items() if name.startswith("stage")}
    first = "stage1.0.0.weight"
    state[first] = state[first].flip(1) / IMAGENET_DEVIATION
    network.body.load_state_dict(state)
