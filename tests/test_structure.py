"""The house: who may import whom, and files that stay short."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "tensorrtx": set(),
    "engines": {"tensorrtx"},
    "analysis": {"tensorrtx", "engines"},
    "service": {"engines", "analysis"},
    "training": {"tensorrtx", "engines", "analysis", "service"},
    "bench": {"tensorrtx", "engines", "analysis", "service"},
}
LONGEST = 260


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_along_the_arrows(package: str) -> None:
    forbidden = ({*ALLOWED, "tests"} - ALLOWED[package]) - {package}
    for file in (ROOT / package).rglob("*.py"):
        assert not imported(file) & forbidden, file


def test_analysis_knows_neither_http_nor_asyncio() -> None:
    unknown = {"asyncio", "fastapi", "httpx", "opentelemetry", "prometheus_client", "starlette"}
    for file in (ROOT / "analysis").rglob("*.py"):
        assert not imported(file) & unknown, file


def test_only_one_module_touches_the_environment() -> None:
    for package in ("tensorrtx", "engines", "analysis", "service"):
        for file in (ROOT / package).rglob("*.py"):
            assert "os.environ" not in file.read_text(), file


@pytest.mark.parametrize("package", ALLOWED)
def test_files_stay_short(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        assert len(file.read_text().splitlines()) <= LONGEST, file
