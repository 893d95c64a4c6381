from pathlib import Path

import pytest

import tensorrtx
from engines import weights
from engines.catalog import Catalog
from engines.errors import CatalogError

ENTRY = """
[[model]]
name = "mine"
task = "emotion"
network = "onnx"
version = "1"
licence = "mine"
batches = [1, 8]
labels = ["sad", "happy"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_every_entry_names_a_network_and_its_shipped_file_has_the_checksum() -> None:
    for spec in Catalog.load():
        assert spec.network in tensorrtx.NETWORKS
        shipped = weights.shipped(spec)
        if shipped is not None:
            assert weights.sha256(shipped) == spec.sha256, spec.name
            assert shipped.stat().st_size < 12e6


def test_a_catalog_of_ones_own_adds_and_replaces(tmp_path: Path) -> None:
    path = write(tmp_path, ENTRY + ENTRY.replace('"mine"', '"emotion-fer48"'))
    catalog = Catalog.load(path)
    assert catalog.get("mine", "emotion").root == tmp_path
    assert catalog.get("emotion-fer48").labels == ("sad", "happy")
    assert catalog.get("retinaface-mnet025").max_batch == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('version = "1"', "version = 1"), "version"),
        (('licence = "mine"', 'license = "mine"'), "license"),
        (("[1, 8]", "[8, 1]"), "batches"),
        (("[1, 8]", "[]"), "batches"),
        (('labels = ["sad", "happy"]', ""), "labels"),
        (('name = "mine"', 'name = "../mine"'), "name"),
        (('name = "mine"', 'name = "mine"\nurl = "http://localhost/x"'), "sha256"),
        (('task = "emotion"', 'task = "mood"'), "mood"),
        (('name = "mine"', 'name = "mine"\nsame_person = 0.0'), "same_person"),
        (("[[model]]", "[[model"), "mine.toml"),
    ],
)
def test_the_wrong_field_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        Catalog.load(write(tmp_path, ENTRY.replace(*change)))


def test_a_missing_catalog_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"none\.toml"):
        Catalog.load(tmp_path / "none.toml")


def test_an_unknown_model_and_a_wrong_task_are_named() -> None:
    catalog = Catalog.load()
    with pytest.raises(CatalogError, match="models list"):
        catalog.get("nothing")
    with pytest.raises(CatalogError, match="detector, not emotion"):
        catalog.get("retinaface-mnet025", "emotion")
