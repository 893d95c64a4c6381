"""Training of the last layers of a taught network, with PyTorch."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional

from engines.types import U8, Array
from offline.teaching.network import LOGITS, values_of
from offline.teaching.tail import Tail, border_of

# Chosen on a task that the shipped network was not trained for: see docs/LOG.md.
EPOCHS, BATCH, RATE, DECAY, SMOOTHING = 12, 32, 5e-4, 0.05, 0.1


class Finetuner:
    """Trains the last layers of networks that differ only in their head.

    The layers before them run once per face and once per mirror image, whatever the parts of the
    cross-validation.
    """

    def __init__(self, model: onnx.ModelProto, faces: U8, *, seed: int = 0) -> None:
        """Run the first layers of a network of `with_head` on faces, uint8 (N, 48, 48)."""
        names, self._nodes = border_of(model, LOGITS)
        views = np.concatenate([faces, faces[:, :, ::-1]])
        values = map(torch.from_numpy, values_of(model, names, views))
        self._border = dict(zip(names, values, strict=True))
        self._faces, self._seed = len(faces), seed

    def __call__(self, model: onnx.ModelProto, train: Array, targets: Array) -> onnx.ModelProto:
        """Return the network, trained on the faces `train`; their classes have equal weight.

        train: indices of faces; targets: (N,), indices of the scores, of all faces.
        """
        torch.manual_seed(self._seed)
        rows = torch.from_numpy(np.concatenate([train, train + self._faces]))
        tail = Tail(model, self._nodes, LOGITS)
        _train(tail, self._border, rows, torch.from_numpy(np.tile(targets[train], 2)))
        trained, changed = tail.arrays(), onnx.ModelProto()
        changed.CopyFrom(model)
        for tensor in changed.graph.initializer:
            if tensor.name in trained:
                tensor.CopyFrom(numpy_helper.from_array(trained[tensor.name], tensor.name))
        return changed


def _train(
    tail: Tail, border: dict[str, torch.Tensor], rows: torch.Tensor, labels: torch.Tensor
) -> None:
    """Train with a rate that falls to zero; one epoch is as many views as there are faces.

    rows: of the values, for each face and then for each mirror image; labels: their classes.
    """
    optimizer = torch.optim.AdamW(tail.parameters(), lr=RATE, weight_decay=DECAY)
    steps = max(1, EPOCHS * len(labels) // 2 // BATCH)
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
