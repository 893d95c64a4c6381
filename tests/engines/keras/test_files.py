"""Keras files are inspected before Keras loads them; needs no Keras."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from engines.errors import ClassifierError
from engines.keras.files import HDF5, LARGEST_CONFIG, inspect, whole

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 7}}
OLD_LAMBDA = {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}}
NEW_LAMBDA = {"module": "builtins", "class_name": "__lambda__", "config": {"value": "x"}}
FOREIGN = {"module": "os", "class_name": "system", "config": {}}


def archive(path: Path, config: Any) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
    return path


def test_a_model_of_layers_of_keras_is_accepted(tmp_path: Path) -> None:
    file = archive(tmp_path / "misnamed.h5", {"class_name": "Sequential", "layers": [DENSE]})
    assert inspect(file) == ".keras"
    assert whole(file)


# Where a layer can lie: in models in models, and in wrappers' configurations.
nests = st.recursive(
    st.just("here"),
    lambda inner: st.one_of(
        st.builds(lambda x: {"class_name": "Model", "config": {"layers": [DENSE, x]}}, inner),
        st.builds(lambda x: {"layer": x, "name": "time_distributed"}, inner),
        st.builds(lambda x: [1, None, x, "text"], inner),
    ),
    max_leaves=4,
)


@given(nest=nests, bad=st.sampled_from([OLD_LAMBDA, NEW_LAMBDA, FOREIGN]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_code_is_refused_wherever_it_lies(tmp_path: Path, nest: Any, bad: Any) -> None:
    config = json.dumps({"config": nest}).replace('"here"', json.dumps(bad))
    with pytest.raises(ClassifierError, match=r"Lambda layer|not Keras's"):
        inspect(archive(tmp_path / "model.keras", config))


@given(data=st.binary(max_size=200), signed=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, data: bytes, signed: bool) -> None:
    assume(not data.startswith(HDF5))
    (tmp_path / "model.keras").write_bytes((b"PK\x03\x04" if signed else b"") + data)
    with pytest.raises(ClassifierError):
        inspect(tmp_path / "model.keras")


@pytest.mark.parametrize("config", ["{", "[" * 20_000, " " * (LARGEST_CONFIG + 1)])
def test_a_broken_configuration_is_refused(config: str, tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="cannot read"):
        inspect(archive(tmp_path / "model.keras", config))


def test_a_missing_file_and_a_zip_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="cannot read"):
        inspect(tmp_path / "none.keras")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("readme.txt", "")
    with pytest.raises(ClassifierError, match="cannot read"):
        inspect(tmp_path / "other.zip")


def test_hdf5_is_recognised_by_its_content(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="comes with Keras")
    for name, attribute in (("model", "model_config"), ("weights", "layer_names"), ("new", "")):
        with h5py.File(tmp_path / name, "w") as file:
            if attribute:
                file.attrs[attribute] = json.dumps({"layers": [DENSE]})
    assert [inspect(tmp_path / name) for name in ("model", "weights", "new")] == [
        ".h5",
        ".h5",
        ".weights.h5",
    ]
    assert [whole(tmp_path / name) for name in ("model", "weights", "new")] == [True, False, False]
    with h5py.File(tmp_path / "code", "w") as file:
        file.attrs["model_config"] = json.dumps({"layers": [OLD_LAMBDA]})
    with pytest.raises(ClassifierError, match="Lambda layer"):
        inspect(tmp_path / "code")
