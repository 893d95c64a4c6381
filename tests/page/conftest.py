"""The browser as a fixture."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.page.chromium import browsing, found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; a skip where there is none.

    Not of the session: while it is open an event loop runs, and asynchronous tests cannot.
    """
    executable = found()
    if executable is None:
        pytest.skip("no Chromium here; `apt-get install chromium`, or set CHROMIUM to one")
    with browsing(executable) as browser:
        yield browser
