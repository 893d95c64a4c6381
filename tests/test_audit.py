"""Dependencies are pinned by hash, and what an audit says is understood."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.audit import LOCKS, ROOT, verdict

FLAW = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
FLAWED = {"name": "flawed", "version": "1.0", "vulns": [FLAW]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


def report(*packages: Mapping[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_known_vulnerability_fails_and_is_named() -> None:
    found = verdict(report(SOUND, FLAWED))
    assert found.failed
    assert "flawed 1.0: PYSEC-1, fixed in 1.1" in found.line


def test_what_could_not_be_audited_is_reported_and_no_failure() -> None:
    assert not verdict(None).failed
    found = verdict(report(SOUND, UNKNOWN))
    assert not found.failed
    assert "audited 1 packages" in found.line
    assert "1 others" in found.line


LOCK_FILES = sorted({*LOCKS.values(), *(ROOT / "requirements").glob("*.txt")})


@pytest.mark.parametrize("lock", LOCK_FILES, ids=lambda path: path.stem)
def test_every_locked_package_has_its_hashes(lock: Path) -> None:
    text = lock.read_text()
    packages = re.split(r"\n(?=\w)", text.partition("\n")[2].partition("\n")[2])
    assert packages
    for package in packages:
        assert "--hash=sha256:" in package, package


def test_nothing_is_installed_without_hashes() -> None:
    """But the project itself, NVIDIA's package of its own index, and PyTorch, only to train."""
    files = [ROOT / "build.sh", *(ROOT / "docker").glob("Dockerfile.*")]
    for file in files:
        text = file.read_text().replace("\\\n", " ")
        for command in re.findall(r"pip install[^\n&|;]*", text):
            ours = "--no-deps" in command and ("--no-index" in command or " -e ." in command)
            named = "tensorrt_cu13_libs==" in command or "torch==" in command
            assert "--require-hashes" in command or "--dry-run" in command or ours or named
