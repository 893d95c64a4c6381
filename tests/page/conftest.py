"""The browser and the page as fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.page.chromium import browsing, found
from tests.page.pictures import DESK
from tests.page.visit import SEEN_MS, Open
from tests.server import Server, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; skips if there is none.

    Not of the session: while it is open an event loop runs, and asynchronous tests cannot.
    """
    executable = found()
    if executable is None:
        pytest.skip("no Chromium here; `apt-get install chromium`, or set CHROMIUM to one")
    with browsing(executable) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens the page; at the end there must be no error and no violation of its policy."""
    context: BrowserContext = browser.new_context(viewport=DESK)
    context.set_default_timeout(SEEN_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write", "camera"])
    wrong: list[str] = []

    def opened(url: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text))
        page.on(
            "request",
            lambda sent: None if sent.url.startswith((url, "blob:")) else wrong.append(sent.url),
        )
        page.goto(url)
        return page

    yield opened
    context.close()
    # The browser logs a line for every failed request.
    assert [line for line in wrong if not line.startswith("Failed to load resource")] == []


@pytest.fixture(scope="session")
def keyed(plans: Path) -> Iterator[Server]:
    """A service that needs the key `sesame`."""
    with serving(plans, api_keys="sesame") as server:
        yield server
