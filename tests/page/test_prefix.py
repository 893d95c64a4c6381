"""The pages below a prefix, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.page.visit import SEEN_MS, Open
from tests.server import Server, serving


@pytest.fixture(scope="module")
def prefixed(plans: Path) -> Iterator[Server]:
    with serving(plans, engine="bench.fakes:instant:1", root_path="/emotions") as running:
        yield running


@pytest.mark.parametrize("path", ["", "/emotions", "/emotions/"])
def test_the_page_finds_its_files_and_the_service(
    prefixed: Server, open_page: Open, path: str
) -> None:
    page = open_page(prefixed.url + path)
    expect(page.get_by_text("ready")).to_be_visible()


@pytest.mark.parametrize("path", ["/docs", "/emotions/docs", "/emotions/docs/"])
def test_the_description_sends_its_requests_below_the_prefix(
    prefixed: Server, browser: Browser, path: str
) -> None:
    page, wrong = browser.new_page(), list[str]()
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(prefixed.url + path)
    page.get_by_text("The process answers").click(timeout=SEEN_MS)
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.get_by_text(f"{prefixed.url}/emotions/livez").first).to_be_visible()
    expect(page.get_by_text('"live"').first).to_be_visible()
    assert wrong == []
    page.close()
