"""Full, read-only and damaged disks, wrong settings: a sentence that names the fix, status 1."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import offline.cli.main
from offline.cli.console import report_errors

ROOT = Path(__file__).parents[1]
NAME = "retinaface-mnet025"


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_ENGINE", "onnxruntime")


def sentence(*arguments: str) -> str:
    """What a command that fails says last: one line, and no traceback."""
    result = CliRunner().invoke(offline.cli.main.app, arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    return only(result.output)


def only(output: str) -> str:
    assert "Traceback" not in output
    (line,) = [line for line in output.splitlines() if line.startswith("emotions: ")]
    assert output.rstrip().endswith(line)
    return line


def use(monkeypatch: pytest.MonkeyPatch, plans: Path) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))


@pytest.fixture
def own(plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the plans, to be damaged: the folder of ONNX Runtime's."""
    shutil.copytree(plans / "onnxruntime", tmp_path / "onnxruntime")
    use(monkeypatch, tmp_path)
    return tmp_path / "onnxruntime"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_build_that_cannot_write(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    use(monkeypatch, tmp_path)
    monkeypatch.setattr("engines.disk.tempfile.mkstemp", refuse)
    said = sentence("build", NAME)
    assert os.strerror(number) in said
    assert "EMOTIONS_PLANS" in said


def test_a_build_on_a_disk_that_fills_up_leaves_nothing(tmp_path: Path) -> None:
    """A real one: no file may grow beyond what the emotion network needs."""
    command = [sys.executable, "-m", "offline.cli", "build", NAME]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"EMOTIONS_PLANS": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "make room" in only(ended.stderr)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that a plan does not fit on, where that may be had."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("this user may not mount")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_small_and_a_read_only_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, small_disk)
    assert "No space left on device" in sentence("build", NAME)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "Read-only file system" in sentence("build", NAME)


@pytest.mark.parametrize("command", ["serve", "build"])
def test_a_plan_that_cannot_be_read(command: str, own: Path) -> None:
    """Root may read everything but a folder; `build` cannot put a file in a folder's place."""
    (sidecar,) = own.glob(f"{NAME}-fp32*.json")
    sidecar.unlink()
    (sidecar / "in the way").mkdir(parents=True)
    said = sentence(*([command, "--port", "0"] if command == "serve" else [command, NAME]))
    assert "Is a directory" in said
    assert "emotions build --force" in said or "make room" in said


def test_a_damaged_plan_is_not_served(own: Path) -> None:
    (plan,) = own.glob(f"{NAME}-fp32*.onnx")
    plan.write_bytes(plan.read_bytes()[:1000])
    said = sentence("serve", "--port", "0")
    assert f"emotions build --force --engine onnxruntime --precision fp32 {NAME}" in said


CATALOG = """
[[model]]
name = "own"
task = "detector"
network = "retinaface-mnet025"
version = "1"
licence = "mine"
batches = [1]
weights = "own.wts"
sha256 = {sha256}
"""


@pytest.mark.parametrize(
    ("content", "sha256", "fix"),
    [
        (b"1\nconv 1 3f800000\n", '""', "is not the file that the catalog names"),
        (b"", '"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"', "own.wts"),
        (None, '""', "put own.wts (or .pth) into"),
    ],
    ids=["another", "empty", "missing"],
)
def test_damaged_and_missing_weights(
    content: bytes | None, sha256: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(CATALOG.format(sha256=sha256))
    if content is not None:
        (tmp_path / "own.wts").write_bytes(content)
    use(monkeypatch, tmp_path)
    monkeypatch.setenv("EMOTIONS_CATALOG", str(catalog))
    assert fix in sentence("build", "own")
    monkeypatch.setenv("EMOTIONS_DETECTOR", "own")
    sentence("serve", "--port", "0")


def test_a_model_that_is_not_there(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own.is_dir()
    monkeypatch.setenv("EMOTIONS_EMOTION", "nothing")
    assert "emotions models list" in sentence("serve", "--port", "0")
    monkeypatch.setenv("EMOTIONS_CATALOG", str(own / "none.toml"))
    assert "cannot read the catalog" in sentence("serve", "--port", "0")


def test_weights_that_cannot_be_put_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("where a folder should be")
    use(monkeypatch, tmp_path / "file")
    said = sentence("models", "pull", "w600k-mbf")
    assert "emotions models pull w600k-mbf" in said


def test_settings_that_are_wrong_are_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_PORT", "8o8o")
    monkeypatch.setenv("EMOTIONS_MAX_QUEUE", "0")
    said = sentence("serve")
    assert "EMOTIONS_PORT: " in said
    assert "EMOTIONS_MAX_QUEUE: " in said
    assert "8o8o" not in said


def test_any_other_trouble_with_files_is_a_sentence_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/nowhere/tmp")

    with pytest.raises(typer.Exit) as ended:
        report_errors(command)()
    assert ended.value.exit_code == 1
    assert "/nowhere/tmp: No space left on device; make room there" in capsys.readouterr().err
