"""A change of a Secret of API keys reaches the service as the kubelet writes it."""

from pathlib import Path

from service.http.auth import ApiKeys
from service.http.keys import new_key


def write_secret(folder: Path, version: str, line: str) -> None:
    """Write `keys` as the kubelet does: it replaces the link `..data`, and no file changes."""
    (folder / version).mkdir(parents=True)
    (folder / version / "keys").write_text(line + "\n")
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").replace(folder / "..data")
    if not (folder / "keys").is_symlink():
        (folder / "keys").symlink_to("..data/keys")


def test_a_replaced_secret_is_read_again(tmp_path: Path) -> None:
    (old, old_entry), (new, new_entry) = new_key("pipeline"), new_key("pipeline")
    write_secret(tmp_path, "..2026_01", old_entry.line())
    keys = ApiKeys(file=tmp_path / "keys")
    assert keys.owner(old) == "pipeline"
    write_secret(tmp_path, "..2026_02", new_entry.line())
    keys.refresh()
    assert keys.owner(new) == "pipeline"
    assert keys.owner(old) is None
