"""A Keras model of a user, from its file to results over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import onnxruntime
import pytest
from typer.testing import CliRunner

pytest.importorskip("keras", reason="Keras is in the training environment only")
pytest.importorskip("tf2onnx", reason="tf2onnx is in the training environment only")

import h5py
import keras
import skimage

import offline.cli.main
from analysis.evaluation.fer2013 import LABELS
from engines.backends.onnxruntime import OnnxRuntime
from engines.build import find
from engines.classifiers.adapt import Pixels
from engines.classifiers.export import export
from engines.keras.classic import classic
from service.factory import load_catalog
from service.settings import Settings
from tests.docs.blocks import blocks
from tests.docs.fer2013 import noise, write_fer2013
from tests.docs.shell import run
from tests.server import serving

# Keras itself and its backends warn about each other.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
FACES = np.random.default_rng(3).integers(0, 256, (5, 48, 48)).astype(np.uint8)
ALPHABETICAL = tuple(sorted(LABELS))


def small(classes: int = 7, side: int = 48, channels: int = 1, end: str = "softmax") -> Any:
    """Return a network with very different scores, so that swapped classes are noticed."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            layers.Input((side, side, channels)),
            layers.Conv2D(4, 5, strides=4, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(
                classes, activation=end, kernel_initializer=keras.initializers.RandomNormal(0, 1)
            ),
        ]
    )


def scores(file: Path, faces: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["scores"], {"faces": faces})[0])


def as_keras_2(path: Path) -> None:
    """Rewrite the configuration of a file in the form of Keras 2.2."""
    common = {"trainable": True, "use_bias": True, "bias_initializer": initializer("Zeros")}
    filler = {"kernel_initializer": initializer("VarianceScaling", scale=1.0, mode="fan_avg")}
    empty = dict.fromkeys(
        f"{part}_{kind}"
        for part, kind in [
            ("kernel", "regularizer"),
            ("bias", "regularizer"),
            ("activity", "regularizer"),
            ("kernel", "constraint"),
            ("bias", "constraint"),
        ]
    )
    plane = {"padding": "valid", "data_format": "channels_last", "dilation_rate": [1, 1]}
    with h5py.File(path, "r+") as file:
        names = np.asarray(file["model_weights"].attrs["layer_names"]).astype(str).tolist()
        layers = [
            layer(
                "Conv2D",
                name=names[0],
                batch_input_shape=[None, 48, 48, 1],
                dtype="float32",
                filters=4,
                kernel_size=[5, 5],
                strides=[4, 4],
                activation="relu",
                **plane,
                **common,
                **filler,
                **empty,
            ),
            layer("BatchNormalization", name=names[1], axis=-1, momentum=0.99, epsilon=0.001),
            layer("Flatten", name=names[2], data_format="channels_last"),
            layer(
                "Dense", name=names[3], units=7, activation="softmax", **common, **filler, **empty
            ),
        ]
        config = {"class_name": "Sequential", "config": {"name": "s_1", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.2.4"


def initializer(name: str, **config: object) -> dict[str, object]:
    return {"class_name": name, "config": config}


def layer(kind: str, **config: object) -> dict[str, object]:
    return {"class_name": kind, "config": config}


@pytest.mark.parametrize("form", ["model.h5", "keras-2.h5", "model.keras"])
def test_a_whole_model_gives_the_scores_of_keras(form: str, tmp_path: Path) -> None:
    model, file = small(), tmp_path / form
    model.save(file)
    if form == "keras-2.h5":
        as_keras_2(file)
    assert export(file, tmp_path / "own.onnx", ALPHABETICAL) <= 1e-4
    expected = model.predict(FACES[..., None] / 255.0, verbose=0)
    assert expected.max() - expected.min() > 0.3
    np.testing.assert_allclose(scores(tmp_path / "own.onnx", FACES), expected, atol=1e-4)


@pytest.mark.parametrize("form", ["keras-3.weights.h5", "keras-2.h5", "keras-2.weights.h5"])
def test_weights_of_the_classic_network_need_no_configuration(form: str, tmp_path: Path) -> None:
    model, file = classic(7), tmp_path / form
    if form.startswith("keras-3"):
        model.save_weights(file)
    else:
        model.save(tmp_path / "whole.h5")
        with h5py.File(tmp_path / "whole.h5") as whole, h5py.File(file, "w") as weights:
            weights.attrs.update(whole["model_weights"].attrs)
            for name in whole["model_weights"]:
                whole.copy(f"model_weights/{name}", weights)
    export(file, tmp_path / "own.onnx", LABELS)
    expected = model.predict(FACES[..., None] / 255.0, verbose=0)
    np.testing.assert_allclose(scores(tmp_path / "own.onnx", FACES), expected, atol=1e-4)


def test_other_sizes_colours_and_normalisations(tmp_path: Path) -> None:
    model = small(3, side=64, channels=3, end="linear")
    model.save(tmp_path / "colour.keras")
    export(
        tmp_path / "colour.keras",
        tmp_path / "own.onnx",
        ("happy", "neutral", "sad"),
        Pixels((104.0, 117.0, 123.0), (128.0, 127.0, 129.0)),
    )
    large = keras.ops.image.resize(FACES[..., None].astype(np.float32), (64, 64))
    colour = (np.repeat(large, 3, axis=-1) - [104, 117, 123]) / [128, 127, 129]
    expected = keras.ops.softmax(model.predict(colour, verbose=0))
    np.testing.assert_allclose(scores(tmp_path / "own.onnx", FACES), expected, atol=1e-4)


@pytest.fixture(scope="module")
def unusable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that cannot be an emotion engine."""
    folder, layers = tmp_path_factory.mktemp("unusable"), keras.layers
    image, other = layers.Input((48, 48, 1)), layers.Input((48, 48, 1))
    flat = layers.Flatten()
    keras.Sequential([image, flat, layers.Dense(7, "sigmoid")]).save(folder / "sigmoid.keras")
    keras.Model([image, other], layers.Dense(7)(flat(image + other))).save(folder / "two.keras")
    keras.Sequential([layers.Input((48, 40, 1)), layers.Flatten(), layers.Dense(7)]).save(
        folder / "oblong.h5"
    )
    keras.Sequential([layers.Input((2304,)), layers.Dense(7)]).save(folder / "flat.keras")
    keras.Sequential([layers.Input((9, 48, 48, 1)), layers.Flatten(), layers.Dense(7)]).save(
        folder / "frames.keras"
    )
    keras.Sequential([image, layers.Conv2D(7, 3)]).save(folder / "maps.keras")
    small().save_weights(folder / "other.weights.h5")
    bent = keras.Sequential([image, layers.Lambda(lambda x: x / 255), flat, layers.Dense(7)])
    bent.save(folder / "lambda.keras")
    bent.save(folder / "lambda.h5")
    return folder


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("sigmoid.keras", "ends in Sigmoid"),
        ("two.keras", "takes 2 inputs"),
        ("oblong.h5", "48, 40"),
        ("flat.keras", "(N, 2304)"),
        ("frames.keras", "(N, 9, 48, 48, 1)"),
        ("maps.keras", "one score per class"),
        ("other.weights.h5", "save the whole model"),
        ("lambda.keras", "Lambda layer"),
        ("lambda.h5", "Lambda layer"),
    ],
)
def test_an_unusable_model_is_rejected(
    file: str, reason: str, unusable: Path, tmp_path: Path
) -> None:
    out = tmp_path / "own.onnx"
    result = emotions("export", "emotion", "--weights", unusable / file, "--out", out, status=1)
    assert result.startswith("emotions: ")
    assert reason in result
    assert not out.exists()


def test_a_wrong_number_of_labels_is_rejected(tmp_path: Path) -> None:
    small(5).save(tmp_path / "five.keras")
    result = emotions(
        *("export", "emotion", "--weights", tmp_path / "five.keras"),
        *("--out", tmp_path / "own.onnx"),
        status=1,
    )
    assert "gives 5 scores and there are 7 labels (angry, disgust" in result
    assert "--labels" in result


def emotions(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(offline.cli.main.app, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return str(result.output)


@pytest.fixture
def model(own_plans: Path, tmp_path: Path) -> Any:  # noqa: ARG001  (the command uses it)
    """The model of a user, which the plans have as `mine`."""
    made, labels = small(7), ",".join(ALPHABETICAL)
    made.save(tmp_path / "mine.h5")
    emotions(
        *("export", "emotion", "--weights", tmp_path / "mine.h5", "--out", tmp_path / "mine.onnx"),
        *("--labels", labels),
    )
    return made


def test_the_plan_gives_the_same_bits_in_any_batch(model: Any, own_plans: Path) -> None:
    spec = load_catalog(Settings(plans=own_plans)).get("mine", "emotion")
    path, _ = find(spec, OnnxRuntime(), own_plans)
    assert {o.version for o in onnx.load(path).opset_import if not o.domain} == {17}
    with OnnxRuntime().open(path, spec) as runner:
        together = runner.infer({"faces": FACES})["scores"]
        alone = [runner.infer({"faces": face[None]})["scores"][0] for face in FACES]
    assert (together == np.stack(alone)).all()
    expected = model.predict(FACES[..., None] / 255.0, verbose=0)
    np.testing.assert_allclose(together, expected, atol=1e-4)


@pytest.mark.usefixtures("model")
def test_the_model_serves_with_its_labels(own_plans: Path) -> None:
    with serving(own_plans, emotion="mine") as server:
        files = {"images": ("astronaut.png", ASTRONAUT.read_bytes(), "image/png")}
        answer = httpx.post(f"{server.url}/v1/emotions", files=files, timeout=60).json()
    assert answer["model"]["emotion"] == "mine"
    (face,) = answer["images"][0]["faces"]
    assert tuple(face["scores"]) == ALPHABETICAL
    assert face["emotion"] in ALPHABETICAL


def test_the_commands_of_the_page_for_migration_run(tmp_path: Path, own_plans: Path) -> None:
    (block,) = (each for each in blocks("migrate.md", "bash") if "model.h5" in each.text)
    small(7).save(tmp_path / "model.h5")
    write_fer2013(tmp_path / "fer2013.csv", noise())
    assert '"accuracy"' in run(block.text, tmp_path, own_plans)
