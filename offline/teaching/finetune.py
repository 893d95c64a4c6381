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
# Views of a face: each shift, and its mirror image.
VIEWS = 2 * len(SHIFTS)


class Finetuner:
    """Trains the last layers of networks that differ only in their head.

    The layers before them run once per view of a face, whatever the parts of the cross-validation.
    """

    def __init__(self, model: onnx.ModelProto, faces: U8, *, seed: int = 0) -> None:
        """Run the first layers of a network of `with_head` on faces, uint8 (N, 48, 48)."""
        names, self._nodes = border_of(model, LOGITS)
        values = map(torch.from_numpy, values_of(model, names, views(faces)))
        self._border = dict(zip(names, values, strict=True))
        self._faces, self._seed = len(faces), seed

    def __call__(self, model: onnx.ModelProto, train: Array, targets: Array) -> onnx.ModelProto:
        """Return the network, trained on the faces `train`; their classes have equal weight.

        train: indices of faces; targets: (N,), indices of the scores, of all faces.
        """
        torch.manual_seed(self._seed)
        rows = torch.from_numpy(np.arange(VIEWS)[:, None] * self._faces + train).flatten()
        tail = Tail(model, self._nodes, LOGITS)
        _train(tail, self._border, rows, torch.from_numpy(np.tile(targets[train], VIEWS)))
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


def _train(
    tail: Tail, border: dict[str, torch.Tensor], rows: torch.Tensor, labels: torch.Tensor
) -> None:
    """Train with a rate that falls to zero; one epoch is as many views as there are faces."""
    optimizer = torch.optim.AdamW(tail.parameters(), lr=RATE, weight_decay=DECAY)
    steps = max(1, EPOCHS * len(labels) // VIEWS // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    counts = torch.bincount(labels).float()
    weights = len(labels) / (len(counts) * counts)
    for _ in range(steps):
        chosen = torch.randint(len(labels), (BATCH,))
        logits = tail({name: values[rows[chosen]] for name, values in border.items()})
        loss = functional.cross_entropy(logits, labels[chosen], weights, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
