"""MobileFaceNet as an emotion network: its start, its fine form, and joined runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("keras", reason="Keras is in the training environment only")
pytest.importorskip("torch", reason="PyTorch is in the training environment only")

import keras
import torch

from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import Split
from tensorrtx import wts
from tests.training.emotion.faces import EMBEDDER, TRANSFER, data_set, save, smooth
from training.embedder.weights import load_wts
from training.emotion.checkpoint import compiled, load_run
from training.emotion.distil import Teachers
from training.emotion.inputs import Resampled
from training.emotion.join import join
from training.emotion.labels import prior_shift
from training.emotion.networks import build
from training.emotion.predict import predict
from training.emotion.recipe import Recipe, View, load_recipe, parse_view
from training.emotion.refine import refine
from training.emotion.train import train
from training.emotion.transfer import DEVIATION, spread
from training.errors import TrainingError

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SMALL = replace(TRANSFER, sides={0.0: 32})


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return smooth()


@pytest.fixture(scope="module")
def split(faces: np.ndarray) -> Split:
    return Split(faces, np.arange(7), None)


def logits(run: Path, faces: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(load_run(run, "last")(faces)))


def test_the_first_layer_equals_the_trunks_on_enlarged_faces(faces: np.ndarray) -> None:
    model = build(TRANSFER)
    stem = keras.Model(model.inputs, model.get_layer("conv_1_relu").output)
    ours = keras.ops.convert_to_numpy(stem(faces))
    standard = keras.Model(model.inputs, model.get_layer("standardize").output)
    scaled = DEVIATION * keras.ops.convert_to_numpy(standard(faces))[..., 0]
    large = np.stack(
        [cv2.resize(each, (96, 96), interpolation=cv2.INTER_LINEAR) for each in scaled]
    )
    with torch.no_grad():
        colour = torch.from_numpy(large)[:, None].expand(-1, 3, -1, -1)
        theirs = load_wts(EMBEDDER).blocks[0][0](colour).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(ours[:, 1:-1, 1:-1], theirs[:, 1:-1, 1:-1], atol=2e-4)


def test_the_layers_behind_it_are_the_trunks(faces: np.ndarray) -> None:
    model = build(TRANSFER)
    tap = keras.Model(
        model.inputs,
        [model.get_layer("conv_1_relu").output, model.get_layer("conv_6sep_relu").output],
    )
    first, last = (keras.ops.convert_to_numpy(each) for each in tap(faces))
    trunk = load_wts(EMBEDDER)
    with torch.no_grad():
        maps = torch.from_numpy(first.transpose(0, 3, 1, 2).copy())
        for layer in list(trunk.blocks[0])[1:]:
            maps = layer(maps)
        for block in trunk.blocks[1:-1]:
            maps = block(maps)
        theirs = trunk.blocks[-1][0](maps).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(last, theirs, atol=1e-3 * np.abs(theirs).max())


def test_it_learns_and_is_loaded_without_its_start(faces: np.ndarray, tmp_path: Path) -> None:
    start = tmp_path / "start.wts"
    start.write_bytes(EMBEDDER.read_bytes())
    data = data_set(tmp_path / "d.npz", faces, np.arange(7))
    train(replace(SMALL, start=str(start)), data, tmp_path / "run")
    start.unlink()
    model = load_run(tmp_path / "run", "raw")
    assert np.abs(predict(model, faces) - predict(build(SMALL), faces)).max() > 1e-3


def test_a_file_without_a_layer_is_rejected(tmp_path: Path) -> None:
    tensors = wts.read(EMBEDDER)
    del tensors["conv_1_relu_gamma"]
    wts.write(tmp_path / "short.wts", tensors)
    with pytest.raises(KeyError, match="conv_1_relu_gamma"):
        build(replace(TRANSFER, start=str(tmp_path / "short.wts")))


@pytest.mark.parametrize("side", [32, 40])
def test_faces_are_resampled_as_in_training(faces: np.ndarray, side: int) -> None:
    ours = keras.ops.convert_to_numpy(Resampled(side)(faces))
    area = [
        cv2.resize(f.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) for f in faces
    ]
    np.testing.assert_allclose(ours, np.stack(area), atol=1e-3)


def test_a_run_that_ended_on_smaller_faces_resamples_to_them(
    faces: np.ndarray, tmp_path: Path
) -> None:
    trained = build(SMALL)
    run = save(trained, SMALL, tmp_path / "run")
    np.testing.assert_allclose(logits(run, faces), predict(trained, faces, 32), atol=0.05)


def test_a_teacher_that_ended_on_smaller_faces_reads_views_of_any_side(
    faces: np.ndarray, tmp_path: Path
) -> None:
    trained = build(SMALL)
    run = save(trained, SMALL, tmp_path / "run")
    given = np.eye(7, dtype=np.float32)
    for side in (40, 48):
        views = faces[:, :side, :side]
        predicted = softmax(np.asarray(trained.predict_on_batch(views)))
        np.testing.assert_allclose(Teachers([run], 1.0).targets(views, given), predicted, atol=1e-5)


def changed(recipe: Recipe, run: Path) -> Path:
    """Write a run of the recipe with weights of its own."""
    model = build(recipe)
    for layer in model.layers:
        layer.set_weights([1.1 * each for each in layer.get_weights()])
    return save(model, recipe, run)


def test_runs_are_joined_to_the_mean_of_their_networks(
    faces: np.ndarray, split: Split, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(3)
    first = save(build(SMALL), SMALL, tmp_path / "first")
    second = changed(SMALL, tmp_path / "second")
    dense = replace(SMALL, start="", network="fer48", width=8, sides={0.0: 48, 0.5: 40})
    third = save(build(dense), dense, tmp_path / "third")
    join([first, second], tmp_path / "two", split)
    join([tmp_path / "two", third], tmp_path / "all", split)
    one, two, three = (logits(run, faces) for run in (first, second, third))
    mean = (one + two + three) / 3
    assert np.abs(one - two).max() > 0.1
    both = logits(tmp_path / "two", faces)
    np.testing.assert_allclose(both, (one + two) / 2, atol=1e-4 * np.abs(both).max())
    np.testing.assert_allclose(
        logits(tmp_path / "all", faces), mean, atol=1e-4 * np.abs(mean).max()
    )
    views = faces[:, :32, :32]
    everyone = load_run(tmp_path / "all", "last", 48)
    predicted = softmax(keras.ops.convert_to_numpy(everyone(views)))
    given = np.eye(7, dtype=np.float32)
    teachers = Teachers([tmp_path / "all"], 1.0)
    np.testing.assert_allclose(teachers.targets(views, given), predicted, atol=1e-5)


def test_runs_with_different_targets_are_joined_under_the_label_prior(
    faces: np.ndarray, tmp_path: Path
) -> None:
    votes = np.tile([6, 0, 0, 0, 4, 0, 0, 0, 0, 0], (7, 1))  # neutral before anger
    split = Split(faces, np.arange(7), votes)
    mixed, plain = (replace(SMALL, label_weight=weight) for weight in (0.7, 1.0))
    first = changed(mixed, tmp_path / "first")
    second = save(build(plain), plain, tmp_path / "second")
    join([first, second], tmp_path / "both", split)
    one, two = (logits(run, faces) for run in (first, second))
    mean = (one + prior_shift(split.labels, votes, 0.7) + two) / 2
    np.testing.assert_allclose(
        logits(tmp_path / "both", faces), mean, atol=1e-4 * np.abs(mean).max()
    )
    assert load_recipe(tmp_path / "both" / "recipe.json").label_weight == 1.0


def test_each_network_of_a_joined_one_has_its_own_view(
    faces: np.ndarray, split: Split, tmp_path: Path
) -> None:
    small = replace(SMALL, start="", network="fer48", width=8)
    first, second, both = (tmp_path / name for name in ("first", "second", "both"))
    for seed, run in enumerate((first, second)):
        keras.utils.set_random_seed(seed)
        save(build(small), small, run)
    views = [View(up=6), View(mirrored=True, side=40)]
    join([first, second], both, split, views)
    raised = np.concatenate([faces[:, :1].repeat(6, 1), faces[:, :-6]], axis=1)
    mirrored = np.ascontiguousarray(faces[:, :, ::-1])
    larger = keras.ops.convert_to_numpy(load_run(second, "last", 40)(mirrored))
    mean = (logits(first, raised) + larger) / 2
    np.testing.assert_allclose(logits(both, faces), mean, atol=1e-4 * np.abs(mean).max())
    with pytest.raises(ValueError, match="2 views for 3 networks"):
        join([both, first], tmp_path / "every", split, views)


@pytest.mark.parametrize("view", [View(), View(zoom=1.1, up=2), View(zoom=0.9), View(True)])
def test_a_view_has_the_size_and_place_of_its_options(view: View) -> None:
    slope = np.arange(48, dtype=np.uint8) + np.zeros((2, 48, 1), np.uint8)  # columns by number
    shown = keras.ops.convert_to_numpy(Resampled(40, view)(np.stack([slope[0].T, slope[1]])))
    rows, columns = shown[0, :, 20] - 23.5, shown[1, 20] - 23.5
    # Samples are whole pixels, so their mean has an error of a part of one.
    assert rows[19:21].mean() == pytest.approx(-view.up, abs=0.3)
    apart = 1.2 * 31 / view.zoom * (-1 if view.mirrored else 1)
    assert columns[35] - columns[4] == pytest.approx(apart, abs=0.3)
    again = Resampled.from_config(Resampled(40, view).get_config())
    assert (again.side, again.view) == (40, view)


def test_views_are_parsed() -> None:
    assert parse_view("plain") == View()
    assert parse_view("mirrored,zoom=1.1,up=-2,side=36") == View(True, 1.1, -2, 36)
    assert parse_view("up=2,mirrored") == View(True, 1.0, 2)
    with pytest.raises(ValueError, match=r"not turned"):
        parse_view("turned=3")
    with pytest.raises(ValueError, match="not mirrored"):
        parse_view("mirrored=no")


@pytest.mark.parametrize("text", ["zoom=0", "zoom=-1.1", "side=-36"])
def test_an_impossible_view_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="a zoom above 0"):
        parse_view(text)


@pytest.mark.parametrize(("batch", "epochs"), [(0, 1), (1, 0)])
def test_nothing_to_train_on_is_rejected(batch: int, epochs: int) -> None:
    with pytest.raises(TrainingError, match="at least"):
        replace(TRANSFER, batch=batch, epochs=epochs)


def test_other_networks_have_no_fine_form() -> None:
    with pytest.raises(TrainingError, match="--fine needs --network mobileface"):
        replace(TRANSFER, network="fer48", fine=True)


@pytest.mark.parametrize("network", ["classic", "resnet50"])
def test_networks_of_one_size_take_no_other_sides(network: str) -> None:
    with pytest.raises(TrainingError, match="omit --sides"):
        replace(TRANSFER, network=network, sides={0.0: 32, 0.5: 48})


def test_a_joined_network_cannot_be_trained_from_options() -> None:
    with pytest.raises(ValueError, match=r"python -m training\.emotion join"):
        compiled(replace(TRANSFER, network="joined"))


def test_a_refined_network_starts_with_the_outputs_of_the_plain_one(
    faces: np.ndarray, tmp_path: Path
) -> None:
    small = replace(TRANSFER, sides={0.0: 48, 0.5: 36})
    plain, fine = save(build(small), small, tmp_path / "plain"), tmp_path / "fine"
    refine(plain, fine)
    recipe = load_recipe(fine / "recipe.json")
    assert (recipe.fine, recipe.sides) == (True, {0.0: 72})
    before, after = (logits(run, faces) for run in (plain, fine))
    # Smooth faces have the same deviation at 72 pixels as at 36.
    np.testing.assert_allclose(after, before, atol=0.05 * np.abs(before).max())
    with pytest.raises(TrainingError, match="not a mobileface without --fine"):
        refine(fine, tmp_path / "again")
    with pytest.raises(TrainingError, match="of one side only"):
        Teachers([fine], 1.0)
    with pytest.raises(TrainingError, match="at the side of its training, 72"):
        load_run(fine, "last", 80)


def test_a_fine_network_learns_weights_per_place() -> None:
    recipe = replace(TRANSFER, fine=True, sides={0.0: 32})
    model = compiled(recipe)
    (begun, _) = model.get_layer("conv_1").get_weights()
    faces = np.random.default_rng(0).integers(0, 256, (7, 32, 32)).astype(np.uint8)
    for _ in range(2):
        model.train_on_batch(faces, np.eye(7, dtype=np.float32))
    counts = model.get_layer("places").get_weights()[0]
    assert counts.shape == (2, 2, 512)
    assert np.ptp(counts, axis=(0, 1)).max() > 1e-4
    assert np.abs(model.get_layer("conv_1").get_weights()[0] - begun).max() > 1e-4


def test_a_fine_start_from_face_recognition_equals_the_plain_start() -> None:
    (fine, _), (plain, _) = (
        build(replace(TRANSFER, fine=fine)).get_layer("conv_1").get_weights()
        for fine in (True, False)
    )
    np.testing.assert_array_equal(fine, spread(plain))
