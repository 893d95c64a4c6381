"""`emotions export emotion` without Keras, and the catalog entries that it writes."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import offline.cli.main
from engines import catalog_writer
from engines.catalog import read
from engines.errors import CatalogError


@pytest.mark.skipif(
    importlib.util.find_spec("tf2onnx") is not None, reason="tests/training has it with Keras"
)
def test_without_keras_the_error_names_the_extra(tmp_path: Path) -> None:
    given = ["--weights", str(tmp_path / "model.h5"), "--out", str(tmp_path / "own.onnx")]
    result = CliRunner().invoke(offline.cli.main.app, ["export", "emotion", *given])
    assert result.exit_code == 1
    assert "pip install '.[keras]'" in result.output
    assert result.output.count("\n") == 1


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
