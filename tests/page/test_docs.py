"""`/docs` in a real browser: drawn under a strict policy, only from files of the service."""

import re

from playwright.sync_api import Browser, expect

from tests.server import Server

SEEN_MS = 60_000


def test_the_description_is_drawn_without_a_file_from_elsewhere(
    browser: Browser, server: Server
) -> None:
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on(
        "request",
        lambda sent: None if sent.url.startswith((server.url, "data:")) else wrong.append(sent.url),
    )
    page.goto(f"{server.url}/docs")
    operation = page.get_by_text("Find faces and read their emotions")
    expect(operation).to_be_visible(timeout=SEEN_MS)
    operation.click()
    expect(page.get_by_text("application/jsonl").first).to_be_attached(timeout=SEEN_MS)
    expect(page.get_by_role("heading", name=re.compile("emotions"))).to_be_visible()
    assert wrong == []
    page.close()
