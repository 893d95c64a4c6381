"""The metrics and the log of a server that received each kind of request."""

import base64
import json
from pathlib import Path

import httpx
import pytest

from tests.observability.samples import ASTRONAUT, KEY, TRACE, WRONG, Watched, read_samples
from tests.server import serving


def ask(client: httpx.Client) -> None:
    """Send a request of each kind: two images, a broken one, another type, a wrong key."""
    url, mine = "/v1/emotions", {"authorization": f"Bearer {KEY}"}
    trace = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    both = [("images", ("secret-name.png", ASTRONAUT)), ("images", ("b.png", ASTRONAUT))]
    assert client.post(url, files=both, headers=mine | trace).status_code == 200
    encoded = {"images": [{"data": base64.b64encode(ASTRONAUT[:5000]).decode()}]}
    assert client.post(url, json=encoded, headers=mine).status_code == 422
    assert client.post(url, content=b"?", headers=mine).status_code == 415
    wrong = {"x-api-key": WRONG, "content-type": "image/png"}
    assert client.post(url, content=ASTRONAUT, headers=wrong).status_code == 401


@pytest.fixture(scope="session")
def watched(plans: Path) -> Watched:
    with serving(plans, api_keys=f"pipeline:{KEY}") as server:
        with server.client() as client:
            ask(client)
            exposition = client.get("/metrics").text
        log = server.log.read_text()
    return Watched(read_samples(exposition), log, [json.loads(each) for each in log.splitlines()])
