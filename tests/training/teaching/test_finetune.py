"""The last layers of a taught network, trained with PyTorch."""

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="torch lives in the environment for training")

import torch

from engines.catalog import Catalog
from engines.types import U8
from offline.teaching.finetune import Finetuner
from offline.teaching.head import fit
from offline.teaching.network import LOGITS, features_of, values_of, with_head
from offline.teaching.tail import Tail, border_of

RANDOM = np.random.default_rng(0)


def shapes(count: int) -> U8:
    """Noise with a bright bar: across in even faces, upright in odd ones."""
    faces = RANDOM.integers(0, 120, (count, 48, 48)).astype(np.uint8)
    for number, face in enumerate(faces):
        at = int(RANDOM.integers(8, 36))
        bar = face[at : at + 4] if number % 2 == 0 else face[:, at : at + 4]
        bar += 60
    return faces


@pytest.fixture(scope="module")
def base() -> onnx.ModelProto:
    spec = Catalog.load().get("emotion-fer48")
    return onnx.load(spec.root / str(spec.weights))


def test_the_layers_compute_what_the_graph_computes(base: onnx.ModelProto) -> None:
    faces = shapes(6)
    weights = RANDOM.normal(size=(1536, 3)).astype(np.float32)
    model = with_head(base, weights, np.ones(3, np.float32))
    names, nodes = border_of(model, LOGITS)
    border = dict(zip(names, map(torch.from_numpy, values_of(model, names, faces)), strict=True))
    found = Tail(model, nodes, LOGITS)(border).detach().numpy()
    assert found == pytest.approx(values_of(model, [LOGITS], faces)[0], abs=1e-4)


def test_training_improves_the_classes_and_keeps_the_form(base: onnx.ModelProto) -> None:
    faces, targets = shapes(40), np.arange(40) % 2
    head = fit(features_of(base, faces), targets, 2, 3e-7)
    model = with_head(base, *head)
    finetune, every = Finetuner(model, faces), np.arange(40)
    tuned = finetune(model, every, targets)
    onnx.checker.check_model(tuned, full_check=True)
    assert tuned.graph.input == model.graph.input
    assert tuned.graph.output == model.graph.output

    def margin(network: onnx.ModelProto) -> float:
        logits = values_of(network, [LOGITS], faces)[0]
        right = logits[np.arange(40), targets] - logits[np.arange(40), 1 - targets]
        return float(right.mean())

    assert margin(tuned) > margin(model) + 0.02
    again = finetune(model, every, targets)
    assert again.SerializeToString() == tuned.SerializeToString()
