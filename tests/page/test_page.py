"""The page in a real browser, against a real server."""

import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.page.pictures import DESK, PHONE, draw
from tests.page.visit import SEEN_MS, Open, file, upload
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_FILE, encode, group, iou, read
from tests.server import Server

ASTRONAUT = ASTRONAUT_FILE.read_bytes()
BROKEN = HOPPER_FILE.read_bytes()[:5000]


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_photograph_is_boxed_and_its_emotion_named(
    server: Server, open_page: Open, size: ViewportSize
) -> None:
    with server.client() as client:
        answer = client.post("/v1/emotions", files=[("images", ("a.png", ASTRONAUT))]).json()
    (face,) = answer["images"][0]["faces"]
    page = open_page(server.url)
    page.set_viewport_size(size)
    upload(page, file("a.png", ASTRONAUT))
    card = page.locator(".result .face")
    expect(card.locator(".emotion")).to_have_text(face["emotion"], timeout=SEEN_MS)
    expect(page.locator(".outcome")).to_have_text(f"1 face, {face['emotion']}")
    expect(page.locator("#status")).to_have_text(f"a.png: 1 face, {face['emotion']}")
    expect(card.locator(".row")).to_have_count(7)
    share = round(face["scores"][face["emotion"]] * 100)
    expect(card.locator(".best .value")).to_have_text(f"{share} %")
    expect(card.locator(".view")).to_contain_text(f"quality {round(face['quality'] * 100)} %")
    assert iou(_shown_box(page), ASTRONAUT_BOX) > 0.6
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.get_by_role("button", name="Copy JSON").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText().then(JSON.parse)") == answer["images"][0]


def _shown_box(page: Page) -> list[float]:
    """Return the box on the screen, in pixels of the photograph."""
    picture = page.locator(".result img").bounding_box()
    box = page.locator(".result .box").bounding_box()
    assert picture is not None
    assert box is not None
    scale = 512 / picture["width"]
    left, top = (box["x"] - picture["x"]) * scale, (box["y"] - picture["y"]) * scale
    return [left, top, left + box["width"] * scale, top + box["height"] * scale]


def test_several_images_each_with_its_own_outcome(server: Server, open_page: Open) -> None:
    blank = encode(np.zeros((64, 64, 3), np.uint8))
    crowd = encode(group(3, 2)[0], "JPEG")
    with server.client() as client:
        answer = client.post("/v1/emotions", files=[("images", ("crowd.jpg", crowd))]).json()
    count = len(answer["images"][0]["faces"])
    assert count > 1
    page = open_page(server.url)
    upload(
        page,
        file("crowd.jpg", crowd),
        file("cut.jpg", BROKEN),
        file("a.txt", b"text"),
        file("blank.png", blank),
    )
    results = page.locator(".result")
    expect(results.nth(0).locator(".face")).to_have_count(count, timeout=SEEN_MS)
    expect(results.nth(0).locator(".box")).to_have_count(count)
    expect(results.nth(1)).to_contain_text(re.compile("Broken image.*send the whole file"))
    expect(results.nth(2)).to_contain_text(re.compile("Not an image.*the formats are JPEG, PNG"))
    expect(results.nth(3)).to_contain_text("No face was found")


def test_by_keyboard(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    upload(page, file("a.png", ASTRONAUT))
    box = page.locator(".result .box")
    box.focus()
    expect(page.locator(".face")).to_have_class(re.compile("marked"))
    page.keyboard.press("Enter")
    expect(page.locator(".face")).to_be_focused()
    page.get_by_role("button", name="Remove a.png").press("Enter")
    expect(page.locator(".result")).to_have_count(0)
    expect(page.locator("#files")).to_be_focused()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pictures_of_it_are_drawn_anew(
    server: Server, browser: Browser, tmp_path: Path, size: ViewportSize
) -> None:
    draw(browser, server.url, tmp_path / "page.png", size, "dark")
    height, width, _ = read(tmp_path / "page.png").shape
    assert width == size["width"]
    assert height >= size["height"]


def test_dropping_three_emotions_and_a_key(keyed: Server, open_page: Open) -> None:
    page = open_page(keyed.url)
    page.locator("#labels").select_option("happy,neutral,sad")
    _drop(page, "a.jpg", encode(read(ASTRONAUT_FILE), "JPEG", quality=90))
    expect(page.locator(".result")).to_contain_text("Key needed", timeout=SEEN_MS)
    page.get_by_label("API key").fill("sesame")
    page.keyboard.press("Enter")
    expect(page.locator(".result .row")).to_have_count(3, timeout=SEEN_MS)
    expect(page.locator("#key")).to_be_hidden()


def _drop(page: Page, name: str, data: bytes) -> None:
    transfer = page.evaluate_handle(
        """([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name));
            return transfer;
        }""",
        [name, list(data)],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def test_a_service_that_is_gone_is_reported_in_words(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    page.route("**/v1/emotions?*", lambda route: route.abort())
    upload(page, file("a.png", ASTRONAUT))
    expect(page.locator(".result")).to_contain_text("cannot be reached", timeout=SEEN_MS)
    page.unroute("**/v1/emotions?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".result .face")).to_have_count(1, timeout=SEEN_MS)


def test_the_policy_lets_nothing_else_in(server: Server) -> None:
    answers: list[httpx.Response] = []
    with server.client() as client:
        answers += [client.get("/"), client.get("/static/page.js"), client.head("/")]
        assert client.get("/static/../page.py").status_code == 404
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
