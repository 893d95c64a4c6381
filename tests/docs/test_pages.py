"""Pages that are made from the code are current, and what pages point to is there."""

import re
from pathlib import Path

import pytest

from offline.bot.settings import BotSettings
from service.settings import Settings
from tests.docs import packages
from tests.docs.blocks import DOCS
from tests.docs.pages import PAGES

ROOT = DOCS.parent
FOLDERS = (
    "analysis|bench|client|docker|docs|engines|offline|requirements|service|tensorrtx|tests"
    "|training"
)
COMPLAINTS = DOCS / "complaints.md"
HISTORY = DOCS / "LOG.md"  # it names files that are gone
WRITTEN = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md")),
    *(ROOT / name / "README.md" for name in ("client", "training")),
    *sorted({*DOCS.rglob("*.md")} - {HISTORY}),
]


@pytest.mark.parametrize("name", PAGES)
def test_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `python -m tests.docs.pages`"


def test_the_drawing_of_the_packages_is_current() -> None:
    written = packages.PICTURE.read_text()
    assert written == packages.drawing(), "run `python -m tests.docs.packages`"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_only_files_that_are_there(page: Path) -> None:
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]+)[`:]", page.read_text())
    for name in named:
        brought = name.endswith((".wts", ".pth")) or name.startswith(
            ("bench/results", "engines/plans", "training/runs")
        )
        assert brought or list(ROOT.glob(f"{name.rstrip('/')}*")), name


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_only_modules_that_are_there(page: Path) -> None:
    for name in re.findall(r"python -m ([\w.]+)", page.read_text()):
        path = ROOT / name.replace(".", "/")
        if (ROOT / path.relative_to(ROOT).parts[0]).is_dir():
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


def test_every_answered_complaint_names_a_test_that_is_there() -> None:
    rows = re.findall(r"^\|.*\| `(tests/[\w/]+\.py)(?:::(\w+))?` \|$", COMPLAINTS.read_text(), re.M)
    answered, _ = COMPLAINTS.read_text().split("## Open")
    assert len(rows) == answered.count("\n| ") - 1
    for file, name in rows:
        assert f"def {name}" in (ROOT / file).read_text(), (file, name)


def test_every_picture_is_shown() -> None:
    text = "".join(page.read_text() for page in [*WRITTEN, HISTORY, ROOT / "mkdocs.yml"])
    hidden = [file.name for file in (DOCS / "images").iterdir() if file.name not in text]
    assert hidden == []


def test_the_readme_points_to_the_documentation() -> None:
    assert "docs/index.md" in (ROOT / "README.md").read_text()


def test_settings_named_anywhere_exist() -> None:
    kinds = (("EMOTIONS", Settings), ("EMOTIONS_BOT", BotSettings))
    known = {f"{start}_{name.upper()}" for start, kind in kinds for name in kind.model_fields} | {
        "EMOTIONS_VENV",
        "EMOTIONS_KEY",
    }
    for page in WRITTEN:
        found = set(re.findall(r"EMOTIONS_[A-Z][A-Z_]*[A-Z]", page.read_text()))
        assert found <= known, page
