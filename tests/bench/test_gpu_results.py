"""The file of a GPU day: its content, its seals, and the sentence of the README."""

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gpu.__main__ import main
from bench.gpu.machine import UNKNOWN, machine
from bench.gpu.quote import NONE, check_quotable, sentence
from bench.gpu.results import (
    FORMAT,
    DayResult,
    Figure,
    Machine,
    ResultError,
    StageResult,
    load,
    save,
)
from bench.gpu.show import show
from bench.gpu.signing import check, seal
from tests.bench.gpu_results import HERE, LOAD, WHOLE, changed, with_options

ME = "operator@example.com"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _key(tmp_path_factory.mktemp("keys") / "one")


def _key(path: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def signers(key: Path) -> Path:
    file = key.with_suffix(".signers")
    file.write_text(f"{ME} {key.with_suffix('.pub').read_text()}")
    return file


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "results" / "gpu.json"
    save(seal(WHOLE), file)
    assert load(file) == seal(WHOLE)
    assert check(load(file)) == "nobody"
    assert load(file).format == FORMAT


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"date": 1}'])
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ResultError, match="not a result"):
        load(tmp_path / "file")


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of each value of a JSON document."""
    if isinstance(value, dict):
        return [each for k, v in value.items() for each in _paths(v, (*path, k))]
    if isinstance(value, list):
        return [each for k, v in enumerate(value) for each in _paths(v, (*path, k))]
    return [path]


DOCUMENT = msgspec.to_builtins(seal(WHOLE))
PLACES = [place for place in _paths(DOCUMENT) if place[-1] not in {"signature", "type"}]


@given(place=st.sampled_from(PLACES), other=st.floats(0.1, 1e6))
def test_any_change_is_found(place: tuple[Any, ...], other: float) -> None:
    document = msgspec.json.decode(msgspec.json.encode(DOCUMENT))
    *outer, last = place
    inner = document
    for step in outer:
        inner = inner[step]
    former = inner[last]
    inner[last] = {str: f"{former}{other}", bool: not former}.get(type(former), other)
    if isinstance(former, int) and not isinstance(former, bool):
        inner[last] = former + 1
    if inner[last] == former:
        return
    try:
        result = msgspec.convert(document, DayResult)
    except msgspec.ValidationError:
        return
    with pytest.raises(ResultError, match="sha256"):
        check(result)


def test_a_signature_shows_who_ran_the_day(key: Path, tmp_path: Path) -> None:
    signed = seal(WHOLE, key)
    assert check(signed).startswith("SHA256:")
    assert check(signed, signers(key)) == ME
    with pytest.raises(ResultError, match="not valid"):
        check(signed, signers(_key(tmp_path / "other")))
    with pytest.raises(ResultError, match="not signed"):
        check(seal(WHOLE), signers(key))


def test_a_changed_figure_with_a_new_hash_has_no_valid_signature(key: Path) -> None:
    faster = Figure("faster", {"images_per_s": 9999})
    other = WHOLE.with_stage(msgspec.structs.replace(LOAD, figures=(faster,)))
    forged = msgspec.structs.replace(seal(other), signature=seal(WHOLE, key).signature)
    with pytest.raises(ResultError, match="signature is not valid"):
        check(forged)


def test_a_key_that_cannot_sign_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="ssh-keygen sign"):
        seal(WHOLE, tmp_path / "none")


def test_a_stage_replaces_its_earlier_run_and_breaks_the_seals(key: Path) -> None:
    again = seal(WHOLE, key).with_stage(StageResult("load", "stop"))
    assert [each.state for each in again.stages if each.name == "load"] == ["stop"]
    assert (again.sha256, again.signature) == ("", "")


def test_the_command_verifies_and_shows(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gpu.json"
    save(seal(WHOLE, key), file)
    assert main(["--verify", str(file), "--signers", str(signers(key))]) == 0
    assert f"signed by {ME}; NVIDIA L4" in capsys.readouterr().out
    assert main(["--show", str(file)]) == 0
    assert "| 2100.4 | 30 |" in capsys.readouterr().out
    file.write_text(file.read_text().replace("2100.4", "2200.4"))
    assert main(["--verify", str(file)]) == 1
    assert "sha256" in capsys.readouterr().err


def test_the_readme_quotes_the_rate_of_a_whole_day(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    assert sentence(file) == NONE
    save(seal(WHOLE), file)
    assert sentence(file).startswith(
        "On NVIDIA L4 with 16 CPU cores the service analyzed 2,100 images/s"
    )
    save(seal(WHOLE.with_stage(StageResult("gpus", "stop"))), file)
    assert "; gpus failed)" in sentence(file)
    save(seal(changed(gpus=HERE.gpus * 2)), file)
    assert "On 2 x NVIDIA L4" in sentence(file)
    save(seal(with_options(engines="cuda", seconds="2.0")), file)
    assert "2,100 images/s" in sentence(file)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (msgspec.structs.replace(WHOLE, rehearsal=True), "rehearsal"),
        (changed(gpus=()), "rehearsal"),
        (changed(clean=False), "differed from the commit"),
        (WHOLE.with_stage(StageResult("faults", "skipped")), "did not pass: faults"),
        (with_options(engines="bench.fakes:instant:1"), "not of the usual"),
        (with_options(engines="tensorrt, onnxruntime"), "not of the usual"),
        (with_options(models="landmarks-64"), "not of the usual"),
        (msgspec.structs.replace(WHOLE, stages=WHOLE.stages[1:]), "did not pass: inventory"),
    ],
)
def test_nothing_else_is_quoted(result: DayResult, why: str) -> None:
    with pytest.raises(ResultError, match=why):
        check_quotable(seal(result))


def test_a_rehearsal_says_so_first() -> None:
    lines = list(show(msgspec.structs.replace(WHOLE, rehearsal=True)))
    assert lines[0].startswith("**Rehearsal")


def test_the_machine_is_this_one() -> None:
    found = machine()
    assert found.libraries["numpy"] == version("numpy")
    assert found.cores >= 1
    assert found.cpu
    assert found.commit == UNKNOWN or len(found.commit) == 40
    assert msgspec.convert(msgspec.to_builtins(found), Machine) == found
