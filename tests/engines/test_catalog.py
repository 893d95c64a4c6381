from pathlib import Path

import msgspec
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


DETECTOR = """
[[model]]
name = "finder"
task = "detector"
network = "retinaface-mnet025"
version = "1"
licence = "mine"
batches = [1, 4, 16, 64]
options = { size = [480, 640] }
sides = [960, 1280]
"""
SIDES = r"sides are for a detector, rising multiples of 32 above its size, 640"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_every_entry_names_a_network_and_its_shipped_file_has_the_checksum() -> None:
    for spec in Catalog.load():
        assert spec.library or spec.network in tensorrtx.NETWORKS
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


def test_a_detector_has_larger_inputs_of_the_same_weights(tmp_path: Path) -> None:
    catalog = Catalog.load(write(tmp_path, DETECTOR))
    base = catalog.get("finder")
    assert [spec.name for spec in base.larger] == ["finder-960", "finder-1280"]
    for spec, side in zip(base.larger, (960, 1280), strict=True):
        assert catalog.get(spec.name, "detector") == spec
        assert spec.input_size == (side, side)
        assert spec.entry == base.entry == "finder"
        assert not spec.larger
        assert spec.max_batch * side**2 <= base.max_batch * 480 * 640
    assert "finder-960" not in [spec.name for spec in catalog]


def test_the_shipped_detector_has_larger_inputs_with_the_same_file() -> None:
    base = Catalog.load().get("retinaface-mnet025")
    assert [spec.input_size for spec in base.larger] == [(960, 960), (1280, 1280)]
    found = {weights.find(spec, Path("unused"), {}) for spec in (base, *base.larger)}
    assert len(found) == 1


def test_a_detector_with_larger_inputs_has_a_wide_one_for_films(tmp_path: Path) -> None:
    catalog = Catalog.load(write(tmp_path, DETECTOR))
    base = catalog.get("finder")
    (wide,) = base.wide
    assert (wide.name, wide.input_size) == ("finder-1280x736", (736, 1280))
    assert catalog.get(wide.name, "detector") == wide
    assert wide.entry == "finder"
    assert not wide.larger
    assert not wide.wide
    assert not msgspec.structs.replace(base, sides=()).wide


def test_the_own_entry_replaces_the_larger_inputs_too(tmp_path: Path) -> None:
    own = DETECTOR.replace("finder", "retinaface-mnet025").replace("[960, 1280]", "[704]")
    catalog = Catalog.load(write(tmp_path, own))
    assert catalog.get("retinaface-mnet025-704").root == tmp_path
    with pytest.raises(CatalogError, match="models list"):
        catalog.get("retinaface-mnet025-960")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[960, 1280]", "[1280, 960]"), SIDES),
        (("[960, 1280]", "[960, 960]"), SIDES),
        (("[960, 1280]", "[640, 960]"), SIDES),
        (("[960, 1280]", "[1000]"), SIDES),
        (("[960, 1280]", "[-32]"), SIDES),
        (("[960, 1280]", '["960"]'), "sides"),
        (("[960, 1280]", "960"), "sides"),
        (('task = "detector"', 'task = "embedder"'), "sides are for a detector"),
        (("[480, 640]", "[640]"), "size must be"),
        (("[480, 640]", '"large"'), "size must be"),
        (('name = "finder"', 'name = "finder"\nbase = "retinaface-mnet025"'), "base"),
    ],
)
def test_wrong_sides_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        Catalog.load(write(tmp_path, DETECTOR.replace(*change)))


def test_an_entry_cannot_have_the_name_of_a_larger_input(tmp_path: Path) -> None:
    own = DETECTOR + ENTRY.replace("mine", "finder-960")
    with pytest.raises(CatalogError, match="finder-960 is finder with a larger input"):
        Catalog.load(write(tmp_path, own))


def test_a_missing_catalog_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"none\.toml"):
        Catalog.load(tmp_path / "none.toml")


def test_an_unknown_model_and_a_wrong_task_are_named() -> None:
    catalog = Catalog.load()
    with pytest.raises(CatalogError, match="models list"):
        catalog.get("nothing")
    with pytest.raises(CatalogError, match="detector, not emotion"):
        catalog.get("retinaface-mnet025", "emotion")
