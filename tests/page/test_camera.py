"""The camera of the page: opened and stopped in any order, with a key, and by keyboard."""

import pytest
from playwright.sync_api import Page, expect

from tests.page.visit import ENDPOINT, SEEN_MS, Open, answer
from tests.server import Server

# The permission prompt stays open until the test calls `permit`; every stream is kept.
ASK = """() => {
    const {mediaDevices} = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    const permitted = new Promise((resolve) => { window.permit = resolve; });
    window.streams = [];
    mediaDevices.getUserMedia = async (what) => {
        await permitted;
        streams.push(await open(what));
        return streams.at(-1);
    };
}"""
LIVE = "streams.filter((stream) => stream.active).length"
SOME_FRAMES_MS = 1_000


def test_the_camera(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    page.get_by_role("button", name="Use camera").click()
    expect(page.locator("#camera .message")).to_have_text("no face found", timeout=SEEN_MS)
    page.get_by_role("button", name="Keep this picture").click()
    expect(page.locator(".result .none")).to_be_visible(timeout=SEEN_MS)
    page.get_by_role("button", name="Stop the camera").click()
    expect(page.locator("#camera")).to_be_hidden()
    assert page.evaluate("document.querySelector('video').srcObject.active") is False


@pytest.fixture
def asking(server: Server, open_page: Open) -> Page:
    """The page during the permission prompt; the service finds one happy face."""
    page = open_page(server.url)
    page.evaluate(ASK)
    page.route(ENDPOINT, lambda route: route.fulfill(body=answer("happy")))
    page.get_by_role("button", name="Use camera").click()
    return page


def _permit(page: Page) -> list[str]:
    """Give the permission; return the requests to the service in the next second."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.evaluate("permit()")
    page.wait_for_timeout(SOME_FRAMES_MS)
    return [url for url in sent if "/v1/emotions" in url]


def test_a_camera_stopped_during_the_permission_prompt_stays_off(asking: Page) -> None:
    asking.get_by_role("button", name="Stop the camera").click()
    assert _permit(asking) == []
    assert asking.evaluate("streams.length") == 1
    assert asking.evaluate(LIVE) == 0
    expect(asking.locator("#camera")).to_be_hidden()


def test_a_second_click_opens_no_second_camera(asking: Page) -> None:
    asking.get_by_role("button", name="Use camera").click()
    assert _permit(asking) != []
    assert asking.evaluate(LIVE) == 1
    asking.get_by_role("button", name="Stop the camera").click()
    assert asking.evaluate(LIVE) == 0


def test_after_two_permission_prompts_only_the_last_stream_is_open(asking: Page) -> None:
    asking.get_by_role("button", name="Stop the camera").click()
    asking.get_by_role("button", name="Use camera").click()
    assert _permit(asking) != []
    assert asking.evaluate("streams.length") == 2
    assert asking.evaluate(LIVE) == 1
    asking.get_by_role("button", name="Stop the camera").click()
    assert asking.evaluate(LIVE) == 0


def test_a_camera_that_failed_is_let_go_and_can_be_tried_again(
    server: Server, open_page: Open
) -> None:
    page = open_page(server.url)
    video = page.locator("video")
    video.evaluate(
        """(video) => {
            video.play = async () => {
                delete video.play;
                throw new DOMException('', 'NotReadableError');
            };
        }"""
    )
    page.get_by_role("button", name="Use camera").click()
    message = page.locator("#camera .message")
    expect(message).to_have_text("Another program uses the camera.", timeout=SEEN_MS)
    assert video.evaluate("(video) => video.srcObject.active") is False
    page.get_by_role("button", name="Use camera").click()
    expect(message).to_have_text("no face found", timeout=SEEN_MS)


def test_the_camera_waits_for_the_key(keyed: Server, open_page: Open) -> None:
    page = open_page(keyed.url)
    statuses: list[int] = []
    page.on(
        "response",
        lambda response: statuses.append(response.status) if "/v1/" in response.url else None,
    )
    page.get_by_role("button", name="Use camera").click()
    expect(page.get_by_label("API key")).to_be_focused(timeout=SEEN_MS)
    expect(page.locator("#camera .message")).to_have_text("Waiting for the key …")
    page.wait_for_timeout(2 * SOME_FRAMES_MS)
    assert statuses == [401]
    page.get_by_label("API key").fill("sesame")
    page.keyboard.press("Enter")
    expect(page.locator("#camera .message")).to_have_text("no face found", timeout=SEEN_MS)
    expect(page.locator("#key")).to_be_hidden()


def test_live_boxes_take_no_focus(asking: Page) -> None:
    _permit(asking)
    expect(asking.locator("#camera .box")).to_be_visible()
    keep = asking.get_by_role("button", name="Keep this picture")
    keep.focus()
    asking.evaluate("document.querySelector('#camera .box').focus()")
    expect(keep).to_be_focused()
    asking.keyboard.press("Shift+Tab")
    expect(asking.locator("#min-score")).to_be_focused()


def test_a_cut_answer_does_not_end_the_camera(server: Server, open_page: Open) -> None:
    page = open_page(server.url)
    page.route(ENDPOINT, lambda route: route.fulfill(body=answer("happy")[:100]))
    page.get_by_role("button", name="Use camera").click()
    message = page.locator("#camera .message")
    expect(message).to_contain_text("incomplete", timeout=SEEN_MS)
    page.unroute(ENDPOINT)
    expect(message).to_have_text("no face found", timeout=SEEN_MS)
