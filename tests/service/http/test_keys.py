"""API keys: stored as hashes, never shown, changed without a restart."""

import hmac
import os
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from offline.cli.main import app
from service.http import auth
from service.http.auth import ApiKeys
from service.http.keys import Key, KeysError, new_key
from tests.waiting import until


def line(name: str, key: str) -> str:
    return f"{name}:{sha256(key.encode()).hexdigest()}\n"


def write(file: Path, text: str) -> None:
    """Replace the file, like `mv` and a mounted secret do."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


def test_several_keys_from_the_environment_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# who may ask\n\n{line('archive', 'c')}{line('archive', 'd')}")
    keys = ApiKeys(["a", "studio:b"], file)
    assert keys.required
    owners = [keys.owner(key) for key in ("a", "b", "c", "d", "", "e", "studio:b", "ä\udcff")]
    assert owners == ["key-1", "studio", "archive", "archive", None, None, None, None]


def test_without_keys_none_is_required_but_an_empty_file_grants_no_access(tmp_path: Path) -> None:
    assert not ApiKeys().required
    file = tmp_path / "keys"
    file.touch()
    keys = ApiKeys(file=file)
    assert keys.required
    assert keys.owner("") is None


def test_a_changed_file_takes_effect_at_the_next_refresh(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(line("studio", "old"))
    keys = ApiKeys(file=file)
    write(file, line("studio", "old") + line("studio", "new"))
    keys.refresh()
    assert (keys.owner("old"), keys.owner("new")) == ("studio", "studio")
    write(file, line("studio", "new"))
    keys.refresh()
    assert (keys.owner("old"), keys.owner("new")) == (None, "studio")


@pytest.mark.parametrize("damage", ["studio:short\n", None])
def test_a_file_damaged_or_gone_leaves_the_keys_that_were(
    tmp_path: Path, damage: str | None
) -> None:
    file = tmp_path / "keys"
    file.write_text(line("studio", "old"))
    keys = ApiKeys(file=file)
    if damage is None:
        file.unlink()
    else:
        write(file, damage)
    keys.refresh()
    assert (keys.owner("old"), keys.owner("new")) == ("studio", None)
    write(file, line("studio", "new"))
    keys.refresh()
    assert (keys.owner("old"), keys.owner("new")) == (None, "studio")


def test_a_watched_file_is_read_again_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "INTERVAL_S", 0.01)
    file = tmp_path / "keys"
    file.write_text(line("studio", "old"))
    keys = ApiKeys(file=file)
    with keys.watched():
        write(file, line("studio", "new"))
        until(lambda: keys.owner("new") == "studio")
        write(file, "damaged\n")
        write(file, line("studio", "newest"))
        until(lambda: keys.owner("newest") == "studio")
    until(lambda: not any(thread.name == "keys" for thread in threading.enumerate()))


def test_without_a_file_nothing_is_watched() -> None:
    with ApiKeys(["a"]).watched():
        assert not any(thread.name == "keys" for thread in threading.enumerate())


def test_a_request_never_reads_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that hangs would stop every request."""
    file = tmp_path / "keys"
    file.write_text(line("studio", "old"))
    keys = ApiKeys(file=file)
    monkeypatch.setattr(Path, "stat", lambda path: pytest.fail(f"stat of {path}"))
    monkeypatch.setattr(Path, "read_text", lambda path: pytest.fail(f"read of {path}"))
    assert keys.owner("old") == "studio"


@pytest.mark.parametrize("text", ["studio", "studio:abc", f"a b:{'0' * 64}", f":{'0' * 64}"])
def test_a_bad_line_is_named_without_its_text(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# one\n{text}\n")
    with pytest.raises(KeysError, match=r"keys, line 2: .*emotions keys new NAME") as refused:
        ApiKeys(file=file)
    assert text not in str(refused.value)


def test_errors_of_files_and_names_name_the_fix(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="emotions keys new NAME"):
        ApiKeys(file=tmp_path / "nothing")
    with pytest.raises(KeysError, match=r"key 2 .*NAME:KEY") as refused:
        ApiKeys(["a", "two words:secret"])
    assert "secret" not in str(refused.value)


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, genuine = [], hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return genuine(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    ApiKeys(["a", "b", "c"]).owner("a")
    assert compared == [(32, 32)] * 3


@pytest.mark.parametrize("text", ["", "partner:", "partner: "])
def test_an_empty_key_is_refused_and_opens_nothing(text: str, tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="key 2 of EMOTIONS_API_KEYS is empty"):
        ApiKeys(["studio:a", text])
    file = tmp_path / "keys"
    file.write_text(line("studio", ""))
    assert ApiKeys(file=file).owner("") is None


KEYS = st.text(st.characters(exclude_characters=":,"), min_size=1).filter(str.strip)


@given(st.lists(KEYS, unique=True))
def test_only_the_keys_themselves_open(keys: list[str]) -> None:
    valid = ApiKeys([f"n:{key}" for key in keys])
    assert all(valid.owner(key) == "n" for key in keys)
    assert valid.owner("".join(keys) + "x") is None


def test_the_command_makes_a_key_that_opens(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(line("old", "o").strip())
    keys = ApiKeys(file=file)
    made = CliRunner().invoke(app, ["keys", "new", "studio", "--file", str(file)])
    assert made.exit_code == 0, made.output
    key = made.stdout.strip()
    keys.refresh()
    assert (keys.owner(key), keys.owner("o")) == ("studio", "old")
    assert key not in file.read_text()
    refused = CliRunner().invoke(app, ["keys", "new", "two words", "--file", str(file)])
    assert refused.exit_code == 1


def test_the_command_keeps_its_file_to_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    CliRunner().invoke(app, ["keys", "new", "studio"], env={"EMOTIONS_API_KEYS_FILE": str(file)})
    assert os.stat(file).st_mode & 0o077 == 0  # noqa: PTH116
    made = CliRunner().invoke(app, ["keys", "new", "studio"], env={"EMOTIONS_API_KEYS_FILE": None})
    assert "studio:" in made.stderr


def test_keys_differ_and_show_nothing_of_themselves() -> None:
    made = [new_key("n") for _ in range(20)]
    assert len({key for key, _ in made}) == 20
    for key, remembered in made:
        assert len(key) > 43
        assert remembered == Key("n", sha256(key.encode()).digest())
        assert key not in remembered.line()
