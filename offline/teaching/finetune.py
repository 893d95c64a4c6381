"""Training of the last layers of a taught network, with PyTorch."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional

from engines.types import U8, Array
from offline.teaching.network import LOGITS, values_of
from offline.teaching.tail import Tail, border_of

EPOCHS, BATCH, RATE, DECAY, SMOOTHING = 12, 32, 1e-4, 0.05, 0.1
# Shifts of a face, in pixels, right and down.
SHIFTS = ((0, 0), (2, 1), (-2, -1), (1, -2))


def finetune(
    model: onnx.ModelProto, faces: U8, targets: Array, *, seed: int = 0
) -> onnx.ModelProto:
    """Return a network of `with_head` whose last layers are trained on faces.

    faces: uint8 (N, 48, 48); targets: (N,), indices of the scores. The layers before them run once
    per view of a face: its mirror image and some shifts. Classes have equal weight.
    """
    torch.manual_seed(seed)
    names, nodes = border_of(model, LOGITS)
    shown = views(faces)
    border = dict(zip(names, map(torch.from_numpy, values_of(model, names, shown)), strict=True))
    labels = torch.from_numpy(np.tile(targets, len(shown) // len(faces)))
    tail = Tail(model, nodes, LOGITS)
    _train(tail, border, labels)
    trained, changed = tail.arrays(), onnx.ModelProto()
    changed.CopyFrom(model)
    for tensor in changed.graph.initializer:
        if tensor.name in trained:
            tensor.CopyFrom(numpy_helper.from_array(trained[tensor.name], tensor.name))
    return changed


def views(faces: U8) -> U8:
    """Return the views of faces (N, 48, 48), first all of the first view: (8 N, 48, 48)."""
    shifted = [np.roll(faces, (down, right), axis=(1, 2)) for right, down in SHIFTS]
    return np.concatenate([each for view in shifted for each in (view, view[:, :, ::-1])])


def _train(tail: Tail, border: dict[str, torch.Tensor], labels: torch.Tensor) -> None:
    """Train with a rate that falls to zero; one epoch is as many views as there are faces."""
    optimizer = torch.optim.AdamW(tail.parameters(), lr=RATE, weight_decay=DECAY)
    steps = max(1, EPOCHS * len(labels) // (2 * len(SHIFTS)) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    counts = torch.bincount(labels).float()
    weights = len(labels) / (len(counts) * counts)
    for _ in range(steps):
        chosen = torch.randint(len(labels), (BATCH,))
        logits = tail({name: values[chosen] for name, values in border.items()})
        loss = functional.cross_entropy(logits, labels[chosen], weights, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
