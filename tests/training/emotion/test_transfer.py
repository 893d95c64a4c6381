"""The trunk of a face recognition network, and what becomes of it as an emotion network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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
from training.embedder.weights import load_wts
from training.emotion.checkpoint import compiled, load_run, load_shifted
from training.emotion.distil import Teachers
from training.emotion.export import export
from training.emotion.inputs import Resampled
from training.emotion.join import join
from training.emotion.labels import prior_shift
from training.emotion.networks import build
from training.emotion.predict import predict
from training.emotion.recipe import Recipe, View, load_recipe, parse_view
from training.emotion.refine import refine
from training.emotion.train import train
from training.emotion.transfer import DEVIATION, FORK, SECOND, spread
from training.errors import TrainingError

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

EMBEDDER = Path(__file__).parents[3] / "engines/models/arcface-mobilefacenet.wts"
RECIPE = Recipe(
    network="mobileface",
    start=str(EMBEDDER),
    optimizer="adamw",
    rate=1e-3,
    weight_decay=0.05,
    epochs=2,
    batch=7,
    jit=False,
)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """Smooth faces, so that enlarging them is all that tells two networks apart."""
    noise = np.random.default_rng(0).integers(0, 256, (7, 6, 6)).astype(np.uint8)
    return np.stack([cv2.resize(each, (48, 48), interpolation=cv2.INTER_CUBIC) for each in noise])


def test_its_first_layer_sees_what_the_trunk_sees_of_faces_twice_as_large(
    faces: np.ndarray,
) -> None:
    model = build(RECIPE)
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
    model = build(RECIPE)
    tap = keras.Model(
        model.inputs,
        [model.get_layer("conv_1_relu").output, model.get_layer("conv_6sep_relu").output],
    )
    first, last = (keras.ops.convert_to_numpy(each) for each in tap(faces))
    trunk = load_wts(EMBEDDER)
    with torch.no_grad():
        maps = torch.from_numpy(first.transpose(0, 3, 1, 2))
        for layer in list(trunk.blocks[0])[1:]:
            maps = layer(maps)
        for block in trunk.blocks[1:-1]:
            maps = block(maps)
        theirs = trunk.blocks[-1][0](maps).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(last, theirs, atol=1e-3 * np.abs(theirs).max())


def test_it_learns_is_read_back_without_its_start_and_exported(
    faces: np.ndarray, tmp_path: Path
) -> None:
    start = tmp_path / "start.wts"
    start.write_bytes(EMBEDDER.read_bytes())
    labels = np.arange(7)
    np.savez(tmp_path / "d.npz", x_train=faces, y_train=labels, x_public=faces, y_public=labels)
    train(replace(RECIPE, start=str(start)), tmp_path / "d.npz", tmp_path / "run")
    start.unlink()
    model = load_run(tmp_path / "run", "raw")
    before = predict(build(RECIPE), faces)
    assert np.abs(predict(model, faces) - before).max() > 1e-3
    if keras.backend.backend() == "tensorflow":
        pytest.importorskip("tf2onnx", reason="tf2onnx is in the training environment only")
        assert export(model, tmp_path / "m.onnx") < 1e-4


def test_a_file_without_a_layer_is_refused(tmp_path: Path) -> None:
    tensors = wts.read(EMBEDDER)
    del tensors["conv_1_relu_gamma"]
    wts.write(tmp_path / "short.wts", tensors)
    with pytest.raises(KeyError, match="conv_1_relu_gamma"):
        build(replace(RECIPE, start=str(tmp_path / "short.wts")))


@pytest.mark.parametrize("side", [32, 40])
def test_faces_are_shrunk_as_training_shrinks_them(faces: np.ndarray, side: int) -> None:
    ours = keras.ops.convert_to_numpy(Resampled(side)(faces))
    area = [
        cv2.resize(f.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA) for f in faces
    ]
    np.testing.assert_allclose(ours, np.stack(area), atol=1e-3)


def test_a_run_that_ended_on_smaller_faces_goes_on_seeing_them(
    faces: np.ndarray, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, sides={0.0: 32})
    trained = build(recipe)
    trained.save_weights(tmp_path / "best.weights.h5")
    recipe.save(tmp_path / "recipe.json")
    model = load_run(tmp_path)
    np.testing.assert_allclose(predict(model, faces), predict(trained, faces, 32), atol=0.05)
    assert export(model, tmp_path / "small.onnx") < 1e-4


def test_a_teacher_that_ended_on_smaller_faces_reads_views_of_any_side(
    faces: np.ndarray, tmp_path: Path
) -> None:
    small, run = replace(RECIPE, sides={0.0: 32}), tmp_path / "run"
    trained = build(small)
    save(trained, small, run)
    given = np.eye(7, dtype=np.float32)
    for side in (40, 48):
        views = faces[:, :side, :side]
        said = softmax(trained.predict_on_batch(views))
        np.testing.assert_allclose(Teachers([run], 1.0).targets(views, given), said, atol=1e-5)


def save(model: keras.Model, recipe: Recipe, run: Path) -> None:
    """Write the model as a run of the recipe that has ended."""
    run.mkdir()
    model.save_weights(run / "last.weights.h5")
    recipe.save(run / "recipe.json")


def test_two_runs_that_share_their_first_layers_are_joined_to_the_mean_of_both(
    faces: np.ndarray, tmp_path: Path
) -> None:
    labels = np.arange(7)
    np.savez(tmp_path / "d.npz", x_train=faces, y_train=labels, x_public=faces, y_public=labels)
    first, second = tmp_path / "first", tmp_path / "second"
    small = replace(RECIPE, sides={0.0: 32})
    save(build(small), small, first)
    train(replace(small, frozen=FORK, below=str(first)), tmp_path / "d.npz", second)
    join(first, second, tmp_path / "joined", Split(faces, labels, None))
    one, other, both = (
        predict(load_run(run, "last"), faces) for run in (first, second, tmp_path / "joined")
    )
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(both, (one + other) / 2, atol=1e-4)


def logits(run: Path, faces: np.ndarray) -> np.ndarray:
    """What the last weights of a run say, without the tracing that many models in one test pay."""
    return np.asarray(keras.ops.convert_to_numpy(load_run(run, "last")(faces)))


def changed(recipe: Recipe, run: Path) -> None:
    """Write a run of the recipe whose weights are nobody else's."""
    model = build(recipe)
    for layer in model.layers:
        layer.set_weights([1.1 * each for each in layer.get_weights()])
    save(model, recipe, run)


def test_runs_with_first_layers_of_their_own_are_joined_side_by_side(
    faces: np.ndarray, tmp_path: Path
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    small = replace(RECIPE, sides={0.0: 32})
    two_ended = replace(small, start="", branches=2)
    split = Split(faces, np.arange(7), None)
    keras.utils.set_random_seed(3)
    save(build(two_ended), two_ended, first)
    save(build(small), small, second)
    changed(small, third)
    join(first, second, tmp_path / "both", split)
    join(tmp_path / "both", third, tmp_path / "all", split)
    join(third, first, tmp_path / "turned", split)
    runs = (first, second, third, tmp_path / "both", tmp_path / "all", tmp_path / "turned")
    one, two, three, both, every, turned = (logits(run, faces) for run in runs)
    # The first has two ends, and every end counts alike.
    np.testing.assert_allclose(both, (2 * one + two) / 3, atol=1e-4 * np.abs(both).max())
    np.testing.assert_allclose(every, (2 * one + two + three) / 4, atol=1e-4 * np.abs(every).max())
    np.testing.assert_allclose(turned, (2 * one + three) / 3, atol=1e-4 * np.abs(turned).max())


def test_runs_that_learnt_different_targets_are_joined_under_the_labels_prior(
    faces: np.ndarray, tmp_path: Path
) -> None:
    votes = np.tile([6, 0, 0, 0, 4, 0, 0, 0, 0, 0], (7, 1))  # neutral before anger
    split = Split(faces, np.arange(7), votes)
    recipes = [replace(RECIPE, sides={0.0: 32}, label_weight=weight) for weight in (0.7, 1.0)]
    first, second, both = (tmp_path / name for name in ("first", "second", "both"))
    changed(recipes[0], first)
    save(build(recipes[1]), recipes[1], second)
    join(first, second, both, split)
    one, two = (logits(run, faces) for run in (first, second))
    mean = (one + prior_shift(split.labels, votes, 0.7) + two) / 2
    np.testing.assert_allclose(logits(both, faces), mean, atol=1e-4 * np.abs(mean).max())
    assert load_recipe(both / "recipe.json").label_weight == 1.0


def test_runs_of_different_forms_and_sides_are_joined_each_seeing_its_own(
    faces: np.ndarray, tmp_path: Path
) -> None:
    recipes = {
        "first": replace(RECIPE, sides={0.0: 48, 0.5: 40}),
        "second": replace(RECIPE, start="", network="fer48", width=8, sides={0.0: 32}),
        "third": replace(RECIPE, start="", network="fer48", width=8),
    }
    split = Split(faces, np.arange(7), None)
    for name, recipe in recipes.items():
        save(build(recipe), recipe, tmp_path / name)
    first, second, third, both, every = (tmp_path / name for name in (*recipes, "both", "every"))
    join(first, second, both, split)
    join(both, third, every, split)
    mean = np.mean([logits(run, faces) for run in (first, second, third)], axis=0)
    np.testing.assert_allclose(logits(every, faces), mean, atol=1e-4 * np.abs(mean).max())
    model = load_shifted(every, "last", split)
    assert export(model, tmp_path / "every.onnx", temperature=0.9) < 1e-4
    views = faces[:, :32, :32]
    said = softmax(keras.ops.convert_to_numpy(load_run(every, "last", 48)(views)))
    given = np.eye(7, dtype=np.float32)
    np.testing.assert_allclose(Teachers([every], 1.0).targets(views, given), said, atol=1e-5)


def test_networks_side_by_side_are_each_shown_a_view_of_their_own(
    faces: np.ndarray, tmp_path: Path
) -> None:
    small = replace(RECIPE, start="", network="fer48", width=8, sides={0.0: 32})
    first, second, both = (tmp_path / name for name in ("first", "second", "both"))
    for seed, run in enumerate((first, second)):
        keras.utils.set_random_seed(seed)
        save(build(small), small, run)
    views = [View(up=6), View(mirrored=True, side=40)]
    join(first, second, both, Split(faces, np.arange(7), None), views)
    raised = np.concatenate([faces[:, :1].repeat(6, 1), faces[:, :-6]], axis=1)
    mirrored = np.ascontiguousarray(faces[:, :, ::-1])
    larger = keras.ops.convert_to_numpy(load_run(second, "last", 40)(mirrored))
    mean = (logits(first, raised) + larger) / 2
    np.testing.assert_allclose(logits(both, faces), mean, atol=1e-4 * np.abs(mean).max())
    assert export(load_run(both, "last"), tmp_path / "both.onnx") < 1e-4
    with pytest.raises(ValueError, match="2 views for 3 networks"):
        join(both, first, tmp_path / "every", Split(faces, np.arange(7), None), views)


@pytest.mark.parametrize("view", [View(), View(zoom=1.1, up=2), View(zoom=0.9), View(True)])
def test_a_view_is_as_large_and_where_it_says(view: View) -> None:
    slope = np.arange(48, dtype=np.uint8) + np.zeros((2, 48, 1), np.uint8)  # columns by number
    shown = keras.ops.convert_to_numpy(Resampled(40, view)(np.stack([slope[0].T, slope[1]])))
    rows, columns = shown[0, :, 20] - 23.5, shown[1, 20] - 23.5
    # Samples are whole pixels, so a mean of them is off by a part of one.
    assert rows[19:21].mean() == pytest.approx(-view.up, abs=0.3)
    apart = 1.2 * 31 / view.zoom * (-1 if view.mirrored else 1)
    assert columns[35] - columns[4] == pytest.approx(apart, abs=0.3)
    again = Resampled.from_config(Resampled(40, view).get_config())
    assert (again.side, again.view) == (40, view)


def test_views_are_named_on_the_command_line() -> None:
    assert parse_view("plain") == View()
    assert parse_view("mirrored,zoom=1.1,up=-2,side=36") == View(True, 1.1, -2, 36)
    assert parse_view("up=2,mirrored") == View(True, 1.0, 2)
    with pytest.raises(ValueError, match=r"mirrored, zoom=, up= and side=, not turned"):
        parse_view("turned=3")
    with pytest.raises(ValueError, match="not mirrored"):
        parse_view("mirrored=no")


@pytest.mark.parametrize("text", ["zoom=0", "zoom=-1.1", "side=-36"])
def test_a_view_that_no_face_can_be_shown_at_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a zoom above 0"):
        parse_view(text)


@pytest.mark.parametrize(("batch", "epochs"), [(0, 1), (1, 0)])
def test_nothing_to_train_on_is_refused(batch: int, epochs: int) -> None:
    with pytest.raises(TrainingError, match="at least"):
        replace(RECIPE, batch=batch, epochs=epochs)


@pytest.mark.parametrize("branches", [0, 3])
def test_a_network_of_another_number_of_branches_is_refused(branches: int) -> None:
    with pytest.raises(ValueError, match=f"one branch or two, not {branches}"):
        replace(RECIPE, branches=branches)


@pytest.mark.parametrize("options", [{"fine": True}, {"branches": 2}])
def test_what_other_networks_have_not_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="for --network mobileface alone"):
        replace(RECIPE, network="fer48", **options)


def test_both_branches_begin_as_the_trunk() -> None:
    model = build(replace(RECIPE, branches=2))
    seconds = [each for each in model.layers if each.name.startswith(SECOND) and each.weights]
    assert seconds
    for layer in seconds:
        first = model.get_layer(layer.name.removeprefix(SECOND))
        for one, other in zip(first.get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_joined_network_cannot_be_trained_from_options() -> None:
    with pytest.raises(ValueError, match=r"python -m training\.emotion join"):
        compiled(replace(RECIPE, network="joined"))


def test_layers_below_without_frozen_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="add --frozen LAYER"):
        compiled(replace(RECIPE, below="training/runs/first"))


def test_layers_below_come_from_another_run_and_those_behind_from_the_start(
    tmp_path: Path,
) -> None:
    below = build(RECIPE)
    for layer in below.layers:
        layer.set_weights([2 * each for each in layer.get_weights()])
    save(below, RECIPE, tmp_path / "below")
    started = build(RECIPE)
    model = compiled(replace(RECIPE, frozen=FORK, below=str(tmp_path / "below")))
    for name, source in ((FORK, below), ("conv_1", below), ("dconv_34_conv_proj", started)):
        ours, theirs = (each.get_layer(name).get_weights() for each in (model, source))
        assert all(map(np.array_equal, ours, theirs)), name


def test_a_refined_network_begins_with_the_answers_of_the_plain_one(
    faces: np.ndarray, tmp_path: Path
) -> None:
    plain, fine = tmp_path / "plain", tmp_path / "fine"
    small = replace(RECIPE, sides={0.0: 48, 0.5: 36})
    save(build(small), small, plain)
    refine(plain, fine)
    recipe = load_recipe(fine / "recipe.json")
    assert (recipe.fine, recipe.sides) == (True, {0.0: 72})
    before, after = (logits(run, faces) for run in (plain, fine))
    # Smooth faces vary as much at 72 pixels as at 36, which is what both are divided by.
    np.testing.assert_allclose(after, before, atol=0.05 * np.abs(before).max())
    if keras.backend.backend() == "tensorflow":
        assert export(load_run(fine, "last"), tmp_path / "fine.onnx") < 1e-4
    with pytest.raises(TrainingError, match="not a mobileface without --fine"):
        refine(fine, tmp_path / "again")
    with pytest.raises(TrainingError, match="a side of its own"):
        Teachers([fine], 1.0)
    with pytest.raises(TrainingError, match="at the side of its training, 72"):
        load_run(fine, "last", 80)


def test_a_fine_network_learns_where_on_a_face_a_feature_counts(
    faces: np.ndarray, tmp_path: Path
) -> None:
    labels = np.arange(7)
    np.savez(tmp_path / "d.npz", x_train=faces, y_train=labels, x_public=faces, y_public=labels)
    train(replace(RECIPE, fine=True, sides={0.0: 64}), tmp_path / "d.npz", tmp_path / "run")
    trained = load_run(tmp_path / "run", "raw")
    counts = trained.get_layer("places").get_weights()[0]
    assert counts.shape == (4, 4, 512)
    assert np.ptp(counts, axis=(0, 1)).max() > 1e-4
    (first, _), (begun, _) = (
        each.get_layer("conv_1").get_weights() for each in (trained, build(RECIPE))
    )
    assert np.abs(first - spread(begun)).max() > 1e-4


def test_a_fine_network_of_face_recognition_sees_what_the_plain_one_sees() -> None:
    (fine, _), (plain, _) = (
        build(replace(RECIPE, fine=fine)).get_layer("conv_1").get_weights()
        for fine in (True, False)
    )
    np.testing.assert_array_equal(fine, spread(plain))
