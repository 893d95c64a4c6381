"""A few training steps on made-up faces."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="Keras is in the training environment only")

import keras

from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import LABELS
from tests.training.emotion.faces import TINY, bars, curve, data_set
from training.emotion.checkpoint import best_accuracy, compiled, load_run, save_weights
from training.emotion.distil import Teachers
from training.emotion.evaluate import evaluate, repeated
from training.emotion.networks import build, classic, fer48
from training.emotion.predict import predict
from training.emotion.recipe import Recipe
from training.emotion.train import finished, train
from training.errors import TrainingError

# Keras itself and its backends warn about each other.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("data") / "bars.npz", *bars(70, 0), bars(28, 1))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(TINY, data, out)
    return out


def test_the_loss_falls(run: Path) -> None:
    losses = [float(row["loss"]) for row in curve(run)]
    assert len(losses) == TINY.epochs
    assert losses[-1] < losses[0] * 0.9
    assert finished(run)


def test_a_student_learns_the_predictions_of_its_teachers(
    run: Path, data: Path, tmp_path: Path
) -> None:
    faces, labels = bars(14, 2)
    given = np.eye(7, dtype=np.float32)[labels]
    predicted = softmax(predict(load_run(run, "last"), faces))
    blended = Teachers([run, run], 0.25).targets(faces, given)
    np.testing.assert_allclose(blended, 0.75 * given + 0.25 * predicted, atol=1e-5)
    assert Teachers([], 0.25).targets(faces, given) is given
    train(replace(TINY, teachers=f"{run},{run}", epochs=1), data, tmp_path)
    assert len(curve(tmp_path)) == 1


def test_classic_takes_a_step(tmp_path: Path) -> None:
    faces, labels = bars(7, 0)
    recipe = Recipe(network="classic", epochs=1, batch=7, rate=0.01)
    train(recipe, data_set(tmp_path / "few.npz", faces, labels), tmp_path / "run")
    (row,) = curve(tmp_path / "run")
    assert np.isfinite(float(row["loss"]))
    assert predict(load_run(tmp_path / "run"), faces).shape == (7, 7)


def test_resnet50_takes_a_step() -> None:
    model = compiled(Recipe(network="resnet50", rate=0.01))
    assert np.isfinite(model.train_on_batch(bars(2, 0)[0], np.eye(7, dtype=np.float32)[:2]))


def test_a_cut_run_resumes_and_keeps_the_best_checkpoint(
    run: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(run, out)
    # A run that was cut after it had saved a better checkpoint, and before it saved its state.
    best = out / "best.weights.h5"
    save_weights(build(TINY), best, 0.99)
    before = best.read_bytes()
    assert train(replace(TINY, epochs=TINY.epochs + 1), data, out) == 0.99
    assert best.read_bytes() == before
    assert [row["epoch"] for row in curve(out)] == ["1", "2", "3", "4", "5", "6"]


def test_the_best_checkpoint_has_the_accuracy_of_the_curve(run: Path, tmp_path: Path) -> None:
    best = max(float(row["accuracy"]) for row in curve(run))
    assert best_accuracy(run / "best.weights.h5") == pytest.approx(best, abs=1e-4)
    assert best_accuracy(tmp_path / "none.weights.h5") == 0


def test_faces_for_less_than_one_batch_are_rejected(data: Path, tmp_path: Path) -> None:
    why = "70 faces are less than one batch of 71: set --batch 70 or less"
    with pytest.raises(TrainingError, match=why):
        train(replace(TINY, batch=71), data, tmp_path)


def test_frozen_layers_keep_their_start(data: Path, tmp_path: Path) -> None:
    start = tmp_path / "start.weights.h5"
    keras.backend.clear_session()  # layers are numbered from zero, as in a new process
    build(TINY).save_weights(start)
    keras.backend.clear_session()
    recipe = replace(TINY, start=str(start), frozen="conv2d_2", epochs=1)
    train(recipe, data, tmp_path / "run")
    train(replace(recipe, epochs=2), data, tmp_path / "run")  # still frozen after a resume
    before, after = build(recipe), load_run(tmp_path / "run", "raw")
    kept = [
        all(map(np.array_equal, one.get_weights(), other.get_weights()))
        for one, other in zip(before.layers, after.layers, strict=True)
    ]
    assert all(kept[:9])
    assert not kept[9]  # the normalisation behind the last frozen layer
    with pytest.raises(ValueError, match=r"no layer 'logit' to freeze up to; there are .*logits"):
        compiled(replace(TINY, frozen="logit"))


def test_mixed_precision_is_the_precision_of_one_model_only() -> None:
    mixed = compiled(replace(TINY, mixed_precision=True))
    assert mixed.layers[-2].compute_dtype == "bfloat16"
    assert build(TINY).layers[-2].compute_dtype == "float32"


def test_evaluate_names_every_class(run: Path, data: Path) -> None:
    figures = evaluate(run, data)
    assert figures["images"] == 28
    assert tuple(figures["f1"]) == LABELS
    assert 0 <= figures["accuracy_with_mirror"] <= 1
    assert figures["images_unseen"] == 28


def test_repeated_images_are_found() -> None:
    faces = bars(4, 0)[0]
    assert repeated(faces, faces[2:]).tolist() == [False, False, True, True]


def test_classic_loads_the_weights_of_a_plain_sequential_in_h5(tmp_path: Path) -> None:
    layers = keras.layers
    plain = keras.Sequential(
        [
            layers.Input((48, 48, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(7, activation="softmax"),
        ]
    )
    plain.save(tmp_path / "model.h5")
    model = classic()
    model.load_weights(tmp_path / "model.h5")
    faces = bars(7, 3)[0]
    expected = plain.predict(faces[..., None] / 255, verbose=0)
    np.testing.assert_allclose(softmax(predict(model, faces)), expected, atol=1e-5)


def test_fer48_gives_the_same_result_for_any_exposure() -> None:
    keras.utils.set_random_seed(0)
    model = fer48(width=8)
    face = np.random.default_rng(0).integers(40, 120, (1, 48, 48)).astype(np.uint8)
    bright = face * 2
    np.testing.assert_allclose(predict(model, face), predict(model, bright), rtol=0.02)


def test_an_unknown_network_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown network"):
        build(Recipe(network="vgg"))
