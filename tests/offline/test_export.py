"""`emotions export emotion` of ONNX files, and the catalog entries that it writes."""

import importlib.util
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import offline.cli.main
from engines.keras.files import HDF5
from offline.own_model import OwnModel
from service.factory import load_catalog
from service.settings import Settings
from tests.engines.classifiers.graphs import linear
from tests.photographs import ASTRONAUT_FILE
from tests.server import serving


@pytest.mark.skipif(
    importlib.util.find_spec("tf2onnx") is not None, reason="tests/training has it with Keras"
)
def test_without_keras_the_error_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(HDF5)
    given = ["--weights", str(tmp_path / "model.h5"), "--out", str(tmp_path / "own.onnx")]
    result = CliRunner().invoke(offline.cli.main.app, ["export", "emotion", *given])
    assert result.exit_code == 1
    assert "pip install '.[keras]'" in result.output
    assert result.output.count("\n") == 1


def test_an_onnx_file_serves_with_its_labels(tmp_path: Path, own_plans: Path) -> None:
    file, out = tmp_path / "net.onnx", tmp_path / "linear.onnx"
    file.write_bytes(linear(64, 3, batch=1).SerializeToString())
    options = ["--labels", "bored,engaged,away"]
    options += ["--mean", "123.675,116.28,103.53", "--scale", "58.395,57.12,57.375"]
    given = ["export", "emotion", "--weights", str(file), "--out", str(out), *options]
    result = CliRunner().invoke(offline.cli.main.app, given)
    assert result.exit_code == 0, result.output
    assert "EMOTIONS_EMOTION=linear emotions serve" in result.output
    photograph = {"images": ("a.png", ASTRONAUT_FILE.read_bytes(), "image/png")}
    with serving(own_plans, emotion="linear") as server, server.client() as client:
        answer = client.post("/v1/emotions", files=photograph)
    assert answer.status_code == httpx.codes.OK, answer.text
    (face,) = answer.json()["images"][0]["faces"]
    assert list(face["scores"]) == ["bored", "engaged", "away"]


@pytest.mark.parametrize(
    ("name", "why"), [("emotion-fer48", "already"), ("mine", "delete"), ("-x", "a hyphen")]
)
def test_a_name_of_another_model_is_refused(
    name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(tmp_path / "plans"))
    before = tmp_path / "before" / "mine.onnx"
    before.parent.mkdir()
    before.write_bytes(b"graph")
    OwnModel.of(before, Settings()).add(["happy", "sad"], "own.h5", "mine")
    given = ["export", "emotion", "--weights", "net.onnx", "--out", str(tmp_path / f"{name}.onnx")]
    result = CliRunner().invoke(offline.cli.main.app, given)
    assert result.exit_code == 1
    assert why in result.output
    assert "--out" in result.output


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--mean", "red"),
        ("--mean", "1,,2"),
        ("--mean", "nan"),
        ("--scale", "1,x"),
        ("--scale", "0"),
    ],
)
def test_means_and_scales_are_numbers(option: str, value: str, tmp_path: Path) -> None:
    given = ["--weights", "m.onnx", "--out", str(tmp_path / "own.onnx"), option, value]
    result = CliRunner().invoke(offline.cli.main.app, ["export", "emotion", *given])
    assert result.exit_code == 2
    assert option in result.output


@pytest.mark.parametrize("network", ["emotion", "onnx"])
def test_the_file_with_the_weights_is_not_overwritten(network: str, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(linear().SerializeToString())
    given = ["export", network, "--weights", str(file), "--out", str(tmp_path / "." / file.name)]
    result = CliRunner().invoke(offline.cli.main.app, given)
    assert result.exit_code == 2
    assert "another file" in result.output
    assert file.read_bytes() == linear().SerializeToString()


@pytest.mark.parametrize("labels", ["happy,,sad", "happy,happy"])
def test_each_label_is_given_once(labels: str, tmp_path: Path) -> None:
    given = ["--weights", "m.h5", "--out", str(tmp_path / "own.onnx"), "--labels", labels]
    result = CliRunner().invoke(offline.cli.main.app, ["export", "emotion", *given])
    assert result.exit_code == 2
    assert "each label once" in result.output


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(labels=st.lists(words, min_size=1, max_size=9, unique=True), source=words)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_entry_keeps_any_labels(tmp_path: Path, labels: list[str], source: str) -> None:
    file = tmp_path / "own.onnx"
    file.write_bytes(b"graph")
    given = Settings(plans=tmp_path / "plans")
    OwnModel.of(file, given).add(labels, source, "mine")
    spec = load_catalog(given).get("own", "emotion")
    assert (spec.weights, spec.labels) == (str(file), tuple(labels))
    assert spec.description == source
