"""A few real steps on made-up faces, and the graph that comes of them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

pytest.importorskip("keras", reason="Keras is in the training environment only")

import keras

from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import LABELS
from training.emotion.checkpoint import compiled, load_run
from training.emotion.distil import Teachers
from training.emotion.evaluate import evaluate, repeated
from training.emotion.export import export
from training.emotion.networks import build, classic, fer48
from training.emotion.predict import predict
from training.emotion.recipe import Recipe, Strength
from training.emotion.train import train
from training.errors import TrainingError

# Keras itself and its backends warn of what they do to each other.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

STILL = Strength((1.0, 1.0), shift=0.0, rotation=0.0, tone=0.0, degrade=0.0, erase=0.0)
TINY = Recipe(width=8, epochs=10, batch=14, rate=0.05, ema=0.8, jit=False, strength=STILL)


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return faces whose class is the height of a bright bar."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 7
    faces = rng.integers(0, 80, (count, 48, 48)).astype(np.uint8)
    for face, label in zip(faces, labels, strict=True):
        face[4 + 6 * label : 8 + 6 * label, 8:40] = 250
    return faces, labels


def file_of_bars(folder: Path) -> Path:
    """Write 70 of them to train on and 28 to validate on."""
    faces, labels = bars(70, 0)
    x_public, y_public = bars(28, 1)
    path = folder / "bars.npz"
    np.savez(path, x_train=faces, y_train=labels, x_public=x_public, y_public=y_public)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return file_of_bars(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(TINY, data, out)
    return out


def curve(run: Path) -> list[dict[str, str]]:
    with (run / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_loss_falls(run: Path) -> None:
    losses = [float(row["loss"]) for row in curve(run)]
    assert len(losses) == 10
    assert losses[-1] < losses[0] * 0.9


def test_a_student_learns_what_its_teachers_say(run: Path, data: Path, tmp_path: Path) -> None:
    faces, labels = bars(14, 2)
    given = np.eye(7, dtype=np.float32)[labels]
    said = softmax(predict(load_run(run, "last"), faces))
    blended = Teachers([run, run], 0.25).targets(faces, given)
    np.testing.assert_allclose(blended, 0.75 * given + 0.25 * said, atol=1e-5)
    assert Teachers([], 0.25).targets(faces, given) is given
    train(replace(TINY, teachers=f"{run},{run}", epochs=2), data, tmp_path)
    assert len(curve(tmp_path)) == 2


@pytest.mark.parametrize("network", ["classic", "resnet50"])
def test_the_other_recipes_take_a_step(network: str, tmp_path: Path) -> None:
    faces, labels = bars(7, 0)
    np.savez(tmp_path / "few.npz", x_train=faces, y_train=labels, x_public=faces, y_public=labels)
    recipe = Recipe(network=network, epochs=1, batch=7, rate=0.01, jit=False)
    train(recipe, tmp_path / "few.npz", tmp_path / "run")
    (row,) = curve(tmp_path / "run")
    assert np.isfinite(float(row["loss"]))
    assert predict(load_run(tmp_path / "run"), faces).shape == (7, 7)


def test_a_cut_run_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    train(Recipe(**{**TINY.__dict__, "epochs": 1}), data, tmp_path)
    train(Recipe(**{**TINY.__dict__, "epochs": 2}), data, tmp_path)
    assert [row["epoch"] for row in curve(tmp_path)] == ["1", "2"]


def test_faces_that_make_no_batch_are_refused(data: Path, tmp_path: Path) -> None:
    why = "70 faces make no batch of 71: set --batch 70 or less"
    with pytest.raises(TrainingError, match=why):
        train(replace(TINY, batch=71), data, tmp_path)


def test_what_is_frozen_stays_as_it_starts(data: Path, tmp_path: Path) -> None:
    start = tmp_path / "start.weights.h5"
    keras.backend.clear_session()  # layers are numbered from nought, as in a process of their own
    build(TINY).save_weights(start)
    keras.backend.clear_session()
    recipe = replace(TINY, start=str(start), frozen="conv2d_2", epochs=1)
    train(recipe, data, tmp_path / "run")
    train(replace(recipe, epochs=2), data, tmp_path / "run")  # frozen when it goes on, too
    before, after = build(recipe), load_run(tmp_path / "run", "raw")
    kept = [
        all(map(np.array_equal, one.get_weights(), other.get_weights()))
        for one, other in zip(before.layers, after.layers, strict=True)
    ]
    assert all(kept[:9])
    assert not kept[9]  # the normalisation behind it
    with pytest.raises(ValueError, match=r"no layer 'logit' to freeze up to; there are .*logits"):
        compiled(replace(TINY, frozen="logit"))


def test_evaluate_names_every_class(run: Path, data: Path) -> None:
    figures = evaluate(run, data)
    assert figures["images"] == 28
    assert tuple(figures["f1"]) == LABELS
    assert 0 <= figures["accuracy_with_mirror"] <= 1
    assert figures["images_unseen"] == 28


def test_repeated_images_are_found() -> None:
    faces = bars(4, 0)[0]
    assert repeated(faces, faces[2:]).tolist() == [False, False, True, True]


def test_the_exported_graph_is_keras_with_a_temperature(run: Path, tmp_path: Path) -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf2onnx needs the TensorFlow backend")
    model, path = load_run(run), tmp_path / "tiny.onnx"
    weights = [each.copy() for each in model.get_weights()]
    assert export(model, path, temperature=1.5) < 1e-4
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(before, after, rtol=1e-6)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        faces = bars(count, 2)[0]
        (scores,) = session.run(None, {"faces": faces})
        np.testing.assert_allclose(scores, softmax(predict(model, faces) / 1.5), atol=1e-4)
    assert session.get_inputs()[0].shape == ["N", 48, 48]
    assert session.get_outputs()[0].name == "scores"
    metadata = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert metadata["labels"] == "angry,disgust,fear,happy,sad,surprise,neutral"


def test_classic_takes_the_weights_of_a_plain_sequential_in_h5(tmp_path: Path) -> None:
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


def test_fer48_reads_any_exposure_alike() -> None:
    keras.utils.set_random_seed(0)
    model = fer48(width=8)
    face = np.random.default_rng(0).integers(40, 120, (1, 48, 48)).astype(np.uint8)
    bright = face * 2
    np.testing.assert_allclose(predict(model, face), predict(model, bright), rtol=0.02)


def test_an_unknown_network_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown network"):
        build(Recipe(network="vgg"))
