"""Taking tensors: an error names the tensor and what was expected."""

from pathlib import Path

import numpy as np
import pytest

import tensorrtx
from tensorrtx import NETWORKS, WeightsError, retinaface, weights, wts
from tests.tensorrtx import golden
from tests.tensorrtx.golden import Array

NAME = "body.stage2.3.0.weight"


@pytest.fixture
def tensors() -> dict[str, Array]:
    return golden.seeded_tensors(golden.load("retinaface_mnet025"))


def build(tensors: dict[str, Array]) -> None:
    retinaface.build(weights.Weights(tensors, "F.wts"), "mnet025", (64, 64))


def test_a_missing_tensor_is_named(tensors: dict[str, Array]) -> None:
    del tensors[NAME]
    with pytest.raises(
        WeightsError, match=r"F.wts: tensor 'body.stage2.3.0.weight' is missing"
    ) as e:
        build(tensors)
    assert "expected shape (128, 1, 3, 3) (1152 values)" in str(e.value)


def test_a_misnamed_tensor_is_suggested(tensors: dict[str, Array]) -> None:
    tensors["body.stage2.3.0.wieght"] = tensors.pop(NAME)
    with pytest.raises(WeightsError, match=r"did you mean 'body\.stage2\.3\.0\.wieght'\?"):
        build(tensors)


@pytest.mark.parametrize("shape", [(1151,), (1, 128, 3, 3), (128, 9)])
def test_another_shape_is_named(tensors: dict[str, Array], shape: tuple[int, ...]) -> None:
    tensors[NAME] = np.zeros(shape, np.float32)
    with pytest.raises(WeightsError, match=r"expected shape \(128, 1, 3, 3\) \(1152 values\)") as e:
        build(tensors)
    assert NAME in str(e.value)
    assert f"found {shape}" in str(e.value)


def test_values_that_are_no_numbers_are_named(tensors: dict[str, Array]) -> None:
    tensors[NAME][5] = np.nan
    with pytest.raises(WeightsError, match="found NaN or infinity") as error:
        build(tensors)
    assert NAME in str(error.value)


def test_tensors_that_no_layer_takes_are_named(tensors: dict[str, Array]) -> None:
    tensors |= {f"extra.{i}": np.zeros(1, np.float32) for i in range(7)}
    with pytest.raises(WeightsError, match=r"no place for 'extra.0', .* and 2 more"):
        build(tensors)


def test_counters_and_the_backbones_classifier_may_be_left(tensors: dict[str, Array]) -> None:
    unused = np.zeros(1, np.float32)
    build(tensors | {"body.fc.weight": unused, "body.stage1.0.1.num_batches_tracked": unused})


def test_export_is_checked_named_and_repeatable(tensors: dict[str, Array], tmp_path: Path) -> None:
    path = tmp_path / "F.wts"
    wts.write(path, tensors)
    model = tensorrtx.export("retinaface-mnet025", path, size=(64, 96), candidates=10)
    assert model.producer_name == "emotions"
    assert model.producer_version == str(NETWORKS["retinaface-mnet025"].version)
    assert {p.key: p.value for p in model.metadata_props}["network"] == "retinaface-mnet025"
    again = tensorrtx.export("retinaface-mnet025", path, size=(64, 96), candidates=10)
    assert model.SerializeToString() == again.SerializeToString()


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"expected .wts, .pth, .pt or .tar, found '.bin'"):
        weights.load(tmp_path / "F.bin")


def test_the_registry_knows_the_networks() -> None:
    assert NETWORKS.keys() >= {
        "retinaface-mnet025",
        "retinaface-r50",
        "arcface-r50",
        "arcface-r100",
        "arcface-mobilefacenet",
    }
    assert all(network.name == name for name, network in NETWORKS.items())
