"""Answers that are cut off, temporary errors, and faces and images that are not shown well."""

import pytest
from playwright.sync_api import expect

from tests.page.visit import ENDPOINT, LABELS, SEEN_MS, Open, answer, file, upload
from tests.photographs import ASTRONAUT_FILE
from tests.server import Server

NO_IMAGE = file("a.jxl", b"what the service reads and the browser does not")


@pytest.mark.parametrize(
    "body",
    [answer("happy")[:100], "", "<html>Sign in</html>", "{}", "null"],
    ids=["cut", "empty", "page", "object", "null"],
)
def test_an_incomplete_answer_can_be_requested_again(
    server: Server, open_page: Open, body: str
) -> None:
    page = open_page(server.url)
    page.route(ENDPOINT, lambda route: route.fulfill(body=body))
    upload(page, NO_IMAGE)
    expect(page.locator(".result")).to_contain_text("incomplete", timeout=SEEN_MS)
    page.unroute(ENDPOINT)
    page.route(ENDPOINT, lambda route: route.fulfill(body=answer("sad")))
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".outcome")).to_have_text("1 face, sad", timeout=SEEN_MS)


def test_faces_of_an_image_that_the_browser_cannot_read(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    page.route(ENDPOINT, lambda route: route.fulfill(body=answer("happy", "sad")))
    upload(page, NO_IMAGE)
    result = page.locator(".result")
    expect(result.locator(".face .emotion")).to_have_text(["happy", "sad"], timeout=SEEN_MS)
    expect(result.locator(".row")).to_have_count(2 * len(LABELS))
    expect(result).to_contain_text("cannot show the picture")
    expect(result.get_by_role("button", name="Copy JSON")).to_be_visible()
    expect(result.locator(".thumbnail, .box")).to_have_count(0)
    expect(page.locator("#status")).to_have_text("a.jxl: 2 faces: 1 happy, 1 sad")


@pytest.mark.parametrize(("quality", "marks"), [(0.8, 0), (0.3, 2)])
def test_a_face_of_low_quality_is_marked(
    server: Server, open_page: Open, quality: float, marks: int
) -> None:
    page = open_page(server.url)
    page.route(ENDPOINT, lambda route: route.fulfill(body=answer("sad", quality=quality)))
    upload(page, file("a.png", ASTRONAUT_FILE.read_bytes()))
    view = page.locator(".face .view")
    expect(view).to_have_text(
        f"quality {round(quality * 100)} % · yaw -12°, pitch 5°, roll 0°", timeout=SEEN_MS
    )
    expect(page.locator(".box")).to_be_visible()
    expect(page.locator(".face.doubtful, .box.doubtful")).to_have_count(marks)


@pytest.mark.parametrize("status", [429, 503])
def test_a_request_that_was_rejected_for_now_can_be_sent_again(
    server: Server, open_page: Open, status: int
) -> None:
    page = open_page(server.url)
    problem = {"code": "busy", "title": "Busy", "detail": "too much under way"}
    refused = {"Retry-After": "3"}
    page.route(ENDPOINT, lambda route: route.fulfill(status=status, json=problem, headers=refused))
    upload(page, NO_IMAGE)
    again = page.get_by_role("button", name="Try again")
    expect(again).to_have_text("Try again in 3 s", timeout=SEEN_MS)
    expect(again).to_be_disabled()
    page.unroute(ENDPOINT)
    page.route(ENDPOINT, lambda route: route.fulfill(body=answer("sad")))
    again.click()
    expect(page.locator(".outcome")).to_have_text("1 face, sad", timeout=SEEN_MS)
