"""Trainings that stay on a device: Keras' network, its weights, views, steps, all in PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("keras", reason="Keras is in the training environment only")
pytest.importorskip("torch", reason="PyTorch is in the training environment only")

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation

from analysis.evaluation.fer2013 import read_split
from tensorrtx.arcface import mobilefacenet
from tests.training.emotion.test_train import STILL, bars, curve, file_of_bars
from training.emotion.checkpoint import load_run
from training.emotion.device.network import HEAD, STAGES, STEM, arrays, load_arrays, network
from training.emotion.device.train import Run, train
from training.emotion.device.views import Views, blend
from training.emotion.networks import build
from training.emotion.predict import predict
from training.emotion.recipe import Recipe, Strength, load_recipe

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

ROOT = Path(__file__).parents[3]
EMBEDDER = ROOT / "engines/models/arcface-mobilefacenet.wts"
CPU = torch.device("cpu")
TINY = Recipe(width=8, epochs=40, batch=14, rate=0.05, ema=0.8, strength=STILL, device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return file_of_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "device"
    assert train(TINY, data, out) > 0.6
    return out


@pytest.mark.parametrize(
    "recipe",
    [Recipe(width=8), Recipe(width=24, blocks=2), Recipe(network="mobileface")],
    ids=["fer48", "wider", "mobileface"],
)
def test_the_networks_are_those_of_keras(recipe: Recipe) -> None:
    torch.manual_seed(0)
    twin = network(recipe).eval()
    for name, tensor in twin.state_dict().items():
        if "running" in name or name.endswith("bias"):
            tensor.uniform_(0.1, 0.9)
    model = build(recipe)
    model.set_weights(arrays(twin))
    for side in (48, 40, 32, *((36, 33) if recipe.network == "mobileface" else ())):
        faces = np.random.default_rng(side).integers(0, 256, (5, side, side)).astype(np.uint8)
        ours = twin(torch.from_numpy(faces)).detach().numpy()
        theirs = np.asarray(model.predict_on_batch(faces))
        assert np.abs(theirs - ours).max() < 1e-5 * np.abs(theirs).max()


def test_weights_go_back_and_those_of_another_network_are_refused() -> None:
    first, second = network(TINY), network(TINY)
    load_arrays(second, arrays(first))
    for one, other in zip(arrays(first), arrays(second), strict=True):
        assert np.array_equal(one, other)
    with pytest.raises(ValueError, match="weights of"):
        load_arrays(network(Recipe(width=16)), arrays(first))


def test_mobileface_has_the_stages_of_the_engine() -> None:
    assert (STEM, HEAD) == (mobilefacenet.STEM, mobilefacenet.HEAD)
    assert tuple(stage[1:] for stage in mobilefacenet.STAGES) == STAGES


def test_a_run_begins_with_the_arrays_of_a_start(data: Path, tmp_path: Path) -> None:
    start = [sys.executable, "-m", "training.emotion", "start", "--network", "mobileface"]
    options = ["--start", str(EMBEDDER), "--out", str(tmp_path / "start.npz")]
    subprocess.run([*start, *options], cwd=ROOT, check=True, capture_output=True)
    recipe = replace(
        TINY,
        network="mobileface",
        start=str(tmp_path / "start.npz"),
        optimizer="adamw",
        rate=1e-6,
        epochs=1,
        sides={0.0: 36},
        strength=replace(STILL, degrade=0.5),
    )
    train(recipe, data, tmp_path / "run")
    model = build(Recipe(network="mobileface", start=str(EMBEDDER)))
    begun = zip(model.get_weights(), load_run(tmp_path / "run", "last").get_weights(), strict=True)
    # But for the last layer, which each of them begins at random.
    assert all(np.allclose(one, other, atol=1e-3) for one, other in list(begun)[:-2])


def test_it_learns_and_keras_reads_what_it_wrote(run: Path, data: Path) -> None:
    rows = curve(run)
    assert len(rows) == TINY.epochs
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 2
    with np.load(data) as file:
        faces, labels = file["x_public"], file["y_public"]
    logits = predict(load_run(run, "last"), faces)
    assert (logits.argmax(1) == labels).mean() == pytest.approx(
        float(rows[-1]["accuracy"]), abs=1e-3
    )


def test_a_run_that_was_cut_goes_on(data: Path, tmp_path: Path) -> None:
    short = replace(TINY, epochs=2)
    train(short, data, tmp_path)
    train(replace(TINY, epochs=4), data, tmp_path)
    assert [row["epoch"] for row in curve(tmp_path)] == ["1", "2", "3", "4"]


def test_a_student_learns_faces_without_labels_from_its_teachers(
    run: Path, data: Path, tmp_path: Path
) -> None:
    with np.load(data) as file:
        np.savez(tmp_path / "frames.npz", x=file["x_train"])
        np.savez(
            tmp_path / "one.npz",
            x_train=file["x_train"][:1],
            y_train=file["y_train"][:1],
            x_public=file["x_public"],
            y_public=file["y_public"],
        )
    recipe = replace(
        TINY, teachers=str(run), unlabelled=str(tmp_path / "frames.npz"), mixup=0.2, seed=3
    )
    assert train(recipe, tmp_path / "one.npz", tmp_path / "student") > 0.6


def test_targets_are_the_labels_and_the_teachers_share(run: Path, data: Path) -> None:
    recipe = replace(TINY, teachers=f"{run},{run}", teacher_share=0.6)
    student = Run(recipe, read_split(data, "train"), read_split(data, "public"), run.parent)
    pixels = student.faces[:3].float()
    targets = torch.eye(7)[:3]
    targets[2] = 0
    taught = student.taught(pixels, targets)
    said = student.teachers[0](pixels).softmax(1)
    assert torch.allclose(taught[:2], 0.4 * targets[:2] + 0.6 * said[:2], atol=1e-5)
    assert torch.allclose(taught[2], said[2], atol=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [
        replace(TINY, network="resnet50"),
        replace(TINY, start="x.wts"),
        replace(TINY, frozen="conv_1"),
        replace(TINY, optimizer="adam"),
        replace(TINY, sides={0.0: 32, 0.5: 36}),
    ],
    ids=[
        "not resnet50",
        "training.emotion start",
        "drop --frozen",
        "sgd or adamw",
        "multiples of 8, not 36: change --sides",
    ],
)
def test_what_it_cannot_train_is_refused(
    recipe: Recipe, data: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ValueError, match=request.node.callspec.id):
        train(recipe, data, tmp_path)


def test_it_needs_neither_keras_nor_opencv(data: Path, tmp_path: Path) -> None:
    code = (
        "import sys, runpy; sys.modules.update(keras=None, cv2=None);"
        "runpy.run_module('training.emotion', run_name='__main__', alter_sys=True)"
    )
    options = ["train", "--device", "cpu", "--width", "8", "--epochs", "1", "--batch", "14"]
    places = ["--data", str(data), "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", code, *options, *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/last.npz").exists()


def test_the_long_recipe_trains_teachers_and_students(data: Path, tmp_path: Path) -> None:
    python = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{python}:{os.environ['PATH']}",
        "DEVICE": "cpu",
        "EPOCHS": "1",
        "OMP_NUM_THREADS": "1",
    }
    np.savez(tmp_path / "start.npz", *arrays(network(Recipe(network="mobileface"))))
    for stage in ("teachers", "students"):
        command = [ROOT / "training/long.sh", stage, data, tmp_path, tmp_path / "start.npz"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    for student in ("dense", "mobileface"):
        recipe = load_recipe(tmp_path / student / "recipe.json")
        assert len(recipe.teachers.split(",")) == 4
        model = load_run(tmp_path / student, "last")
        assert sum(weight.size * 4 for weight in map(np.asarray, model.get_weights())) < 12e6


@pytest.mark.parametrize("side", [32, 36, 40, 45, 48])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 12))
def test_views_are_pixels_of_the_side_asked_for(side: int, seed: int, count: int) -> None:
    torch.manual_seed(seed)
    faces = torch.randint(0, 256, (count, 48, 48), dtype=torch.uint8)
    seen = Views(side, Strength(tone=0.5, degrade=1.0, erase=0.5), CPU)(faces)
    assert seen.shape == (count, side, side)
    assert 0 <= seen.min() <= seen.max() <= 255


def test_views_without_strength_are_the_faces_and_their_mirror_images() -> None:
    faces = torch.randint(0, 256, (32, 48, 48), dtype=torch.uint8)
    seen = Views(48, STILL, CPU)(faces)
    same = (seen - faces).abs().amax((1, 2)) < 0.1
    mirrored = (seen - faces.flip(2)).abs().amax((1, 2)) < 0.1
    assert (same ^ mirrored).all()
    assert 0 < same.sum() < 32


def test_each_degradation_changes_a_face() -> None:
    torch.manual_seed(0)
    faces = torch.from_numpy(bars(60, 0)[0])
    still = replace(STILL, degrade=1.0)
    seen = Views(48, still, CPU)(faces)
    either = torch.minimum(
        (seen - faces).abs().mean((1, 2)), (seen - faces.flip(2)).abs().mean((1, 2))
    )
    assert (either > 0.5).all()
    assert (either < 60).all()


def compressed(pixels: torch.Tensor) -> torch.Tensor:
    """One picture (side, side), of the same quality each time."""
    torch.manual_seed(0)
    return Views(len(pixels), STILL, CPU)._compressed(pixels[None])[0]


def test_blocks_are_compressed_by_themselves() -> None:
    picture = 255 * torch.rand(32, 32)
    blocks = [[compressed(block) for block in row.split(8, 1)] for row in picture.split(8)]
    alone = torch.cat([torch.cat(row, 1) for row in blocks])
    assert torch.allclose(compressed(picture), alone, atol=1e-3)


def test_what_blocks_lack_goes_on_as_the_border() -> None:
    picture = 255 * torch.rand(36, 36)
    filled = F.pad(picture[None], (0, 4, 0, 4), mode="replicate")[0]
    assert torch.allclose(compressed(picture), compressed(filled)[:36, :36], atol=1e-3)


def test_a_blend_keeps_the_share_of_each_target() -> None:
    pixels, targets = torch.rand(6, 8, 8), torch.eye(7)[:6]
    mixed, both = blend(pixels, targets, 0.7)
    assert torch.allclose(both.sum(1), torch.ones(6))
    assert torch.allclose(both.sum(0)[:6], torch.ones(6))
    assert torch.allclose(mixed.mean(), pixels.mean(), atol=1e-5)
