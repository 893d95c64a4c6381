"""`python -m tests.page.pictures`: draws the pictures of the page for the documentation."""

import io
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, ViewportSize, expect

from service.settings import Settings
from tests.page.chromium import browsing, found
from tests.photographs import ASTRONAUT_FILE
from tests.server import serving

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DESK = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)


def draw(
    browser: Browser, url: str, out: Path, size: ViewportSize, scheme: Literal["light", "dark"]
) -> None:
    """Open a photograph in the page and save a screenshot; on a phone, of the whole page."""
    with browser.new_context(viewport=size, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(url)
        page.set_input_files("#files", ASTRONAUT_FILE)
        expect(page.locator(".result .face .row")).to_have_count(7)
        page.wait_for_load_state("networkidle")
        seen = Image.open(io.BytesIO(page.screenshot(full_page=size == PHONE)))
        few = seen.convert("RGB").quantize(method=Image.Quantize.FASTOCTREE)  # a third of the size
        few.save(out, optimize=True)


if __name__ == "__main__":
    plans = Settings().plans
    with serving(plans, engine="onnxruntime") as running, browsing(found()) as browser:
        draw(browser, running.url, IMAGES / "page-desk.png", DESK, "light")
        draw(browser, running.url, IMAGES / "page-phone.png", PHONE, "dark")
