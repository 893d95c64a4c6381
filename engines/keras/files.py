"""Inspects Keras files before Keras loads them: finds their kind, and rejects code in them.

A Lambda layer is code: in HDF5 files of Keras 2 it is marshalled bytecode, which loading would run.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from engines.errors import ClassifierError
from engines.keras.keras_2 import upgraded

# The suffix that Keras expects for each kind of file.
Kind = Literal[".keras", ".h5", ".weights.h5"]
HDF5 = b"\x89HDF\r\n\x1a\n"
LARGEST_CONFIG = 16 << 20  # bytes
CODE = {"Lambda", "__lambda__"}
# Modules that a configuration of Keras 3 may name; one of Keras 2 names no modules.
MODULES = ("keras", "tf_keras", "builtins")


def of_keras(path: Path) -> bool:
    """Whether the first bytes of a file are those of Keras's formats: HDF5, or zip."""
    with path.open("rb") as file:
        return file.read(len(HDF5)) == HDF5 or zipfile.is_zipfile(path)


def inspect(path: Path) -> Kind:
    """Return the kind of a file: a whole model is `.keras` or `.h5`, weights are `.weights.h5`.

    Weights in the form of Keras 2 are `.h5` too; `whole` is False for them.

    Raises:
        ClassifierError: it is another file, or holds Lambda layers or foreign classes.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(HDF5))
        if start == HDF5:
            return _inspect_hdf5(path)
        if zipfile.is_zipfile(path):
            _check(_zipped_config(path), path)
            return ".keras"
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise ClassifierError(f"cannot read {path}: {error}") from error
    raise ClassifierError(f"{path} is not a file of Keras: .keras, .h5 or .weights.h5")


def whole(path: Path) -> bool:
    """Whether a file that `inspect` accepted holds a model, and not only weights."""
    return zipfile.is_zipfile(path) or _hdf5_config(path)[0] is not None


def upgrade(path: Path) -> None:
    """Change the configuration in a file that `inspect` accepted to one that Keras 3 reads."""
    if path.suffix == ".h5" and (config := _hdf5_config(path)[0]) is not None:
        import h5py  # noqa: PLC0415  (comes with Keras)

        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(upgraded(config))


def _inspect_hdf5(path: Path) -> Kind:
    config, keras_2 = _hdf5_config(path)
    if config is not None:
        _check(config, path)
    return ".h5" if keras_2 or config is not None else ".weights.h5"


def _hdf5_config(path: Path) -> tuple[Any, bool]:
    """The model's configuration, if any, and whether its weights have the form of Keras 2."""
    import h5py  # noqa: PLC0415  (comes with Keras)

    with h5py.File(io.BytesIO(path.read_bytes()), "r") as file:
        text = file.attrs.get("model_config")
        return (None if text is None else json.loads(text)), "layer_names" in file.attrs


def _zipped_config(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("config.json").file_size > LARGEST_CONFIG:
            raise ValueError("its configuration is too large")
        return json.loads(archive.read("config.json"))


def _check(config: Any, path: Path) -> None:
    for node in _nodes(config):
        name = node.get("class_name")
        if name in CODE:
            raise ClassifierError(
                f"{path} holds a Lambda layer, which is code that would run here; replace it by "
                "layers of Keras (Rescaling, Reshape, ...) and save the model again"
            )
        module = node.get("module")
        if isinstance(module, str) and module.partition(".")[0] not in MODULES:
            raise ClassifierError(
                f"{path} needs the class {module}.{name}, which is not Keras's; save a model of "
                "Keras's own layers"
            )


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every dictionary in a configuration, at any depth."""
    if isinstance(config, dict):
        yield config
    children = config.values() if isinstance(config, dict) else config
    if isinstance(config, dict | list):
        for child in children:
            yield from _nodes(child)
