"""`emotions export emotion` of ONNX files, and the catalog entries that it writes."""

import importlib.util
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import offline.cli.main
from engines import catalog_writer
from engines.backends.onnxruntime import OnnxRuntime
from engines.build import build
from engines.catalog import Catalog, read
from engines.errors import CatalogError
from engines.keras.files import HDF5
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


def test_an_onnx_file_serves_with_its_labels(tmp_path: Path, plans: Path) -> None:
    file, out, catalog = (tmp_path / name for name in ("net.onnx", "linear.onnx", "own.toml"))
    file.write_bytes(linear(64, 3, batch=1).SerializeToString())
    options = ["--labels", "bored,engaged,away", "--catalog", str(catalog)]
    options += ["--mean", "123.675,116.28,103.53", "--scale", "58.395,57.12,57.375"]
    given = ["export", "emotion", "--weights", str(file), "--out", str(out), *options]
    result = CliRunner().invoke(offline.cli.main.app, given)
    assert result.exit_code == 0, result.output
    build(Catalog.load(catalog).get("linear"), OnnxRuntime(), plans)
    photograph = {"images": ("a.png", ASTRONAUT_FILE.read_bytes(), "image/png")}
    with (
        serving(plans, catalog=str(catalog), emotion="linear") as server,
        server.client() as client,
    ):
        answer = client.post("/v1/emotions", files=photograph)
    assert answer.status_code == httpx.codes.OK, answer.text
    (face,) = answer.json()["images"][0]["faces"]
    assert list(face["scores"]) == ["bored", "engaged", "away"]


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
    file, catalog = tmp_path / "own.onnx", tmp_path / "catalog.toml"
    file.write_bytes(b"graph")
    catalog.unlink(missing_ok=True)
    catalog_writer.append(catalog, catalog_writer.emotion(file, labels, source, catalog))
    (spec,) = read(catalog)
    assert (spec.name, spec.weights, spec.labels) == ("own", "own.onnx", tuple(labels))
    with pytest.raises(CatalogError, match="has an entry own already"):
        catalog_writer.check_free(catalog, "own")


def test_an_invalid_entry_leaves_the_catalog_unchanged(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.toml"
    catalog.write_text("# mine\n")
    with pytest.raises(CatalogError, match="not valid"):
        catalog_writer.append(catalog, "[[model]]\nname = 3")
    assert catalog.read_text() == "# mine\n"
