"""The documentation builds without a warning, and loads nothing from other hosts."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("material") is None, reason="needs the extra docs"
)
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?([^\"'\s>]+)")
STYLED = re.compile(r"(?:@import|url\()\s*[\"']?(https?:|//)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_it_builds_and_every_link_leads_somewhere(site: Path) -> None:
    made = {path.relative_to(site).with_suffix(".md") for path in site.rglob("*.html")}
    assert {path.relative_to(DOCS) for path in DOCS.rglob("*.md")} <= made


def test_notebooks_are_pages_with_their_pictures(site: Path) -> None:
    for notebook in (DOCS / "notebooks").glob("*.ipynb"):
        page = (site / "notebooks" / notebook.name).with_suffix(".html").read_text()
        assert page.count('src="data:image/') == notebook.read_text().count('"image/')
        assert not list(site.rglob("*.ipynb"))


def test_it_loads_nothing_from_other_hosts(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert [x for x in LOADED.findall(text) if x.startswith(("http", "//"))] == [], page
        assert 'class="mermaid"' not in text
    for style in site.rglob("*.css"):
        assert not STYLED.search(style.read_text()), style


def test_what_it_loads_is_there(site: Path) -> None:
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue
        for target in LOADED.findall(page.read_text()):
            if not target.startswith(("data:", "#")):
                assert (page.parent / target.partition("?")[0].partition("#")[0]).exists(), target
