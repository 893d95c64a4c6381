"""What is true of every package that ships."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
SHIPPED = [name.rstrip("*") for name in TOOLS["setuptools"]["packages"]["find"]["include"]]
LONGEST = 270


@pytest.mark.parametrize("package", SHIPPED)
def test_every_folder_with_code_is_a_package(package: str) -> None:
    """Else the folder is missing in the wheel and in the images."""
    folders = {file.parent for file in (ROOT / package).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("package", [*SHIPPED, "bench", "client", "training"])
def test_files_stay_short(package: str) -> None:
    long = {
        file.relative_to(ROOT): lines
        for file in (ROOT / package).rglob("*.py")
        if (lines := len(file.read_text().splitlines())) > LONGEST
    }
    assert long == {}
