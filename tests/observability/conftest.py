"""A server that every kind of request was sent to: what its metrics and its log say then."""

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.photographs import ASTRONAUT_FILE
from tests.server import serving

KEY = "6fe2e1c0-not-for-any-log"
WRONG = "a-key-that-nobody-gave"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ASTRONAUT = ASTRONAUT_FILE.read_bytes()


class Watched(NamedTuple):
    """Samples by name, each a list of labels and a value; the log, raw and line by line."""

    samples: dict[str, list[tuple[dict[str, str], float]]]
    log: str
    lines: list[dict[str, Any]]

    def value(self, name: str, **labels: str) -> float:
        """The one sample of this name with at least these labels."""
        (value,) = (value for found, value in self.samples[name] if labels.items() <= found.items())
        return value

    def requests(self, status: int) -> list[dict[str, Any]]:
        """The access log's lines of one status."""
        return [e for e in self.lines if e["event"] == "request" and e["status"] == status]


def ask(client: httpx.Client) -> None:
    """One request of each kind: two images, a broken one, a refused one, a wrong key."""
    url, mine = "/v1/emotions", {"authorization": f"Bearer {KEY}"}
    trace = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    both = [("images", ("secret-name.png", ASTRONAUT)), ("images", ("b.png", ASTRONAUT))]
    assert client.post(url, files=both, headers=mine | trace).status_code == 200
    encoded = {"images": [{"data": base64.b64encode(ASTRONAUT[:5000]).decode()}]}
    assert client.post(url, json=encoded, headers=mine).status_code == 422
    assert client.post(url, content=b"?", headers=mine).status_code == 415
    wrong = {"x-api-key": WRONG, "content-type": "image/png"}
    assert client.post(url, content=ASTRONAUT, headers=wrong).status_code == 401


def read_samples(exposition: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """An exposition's samples by name."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    return found


@pytest.fixture(scope="session")
def watched(plans: Path) -> Watched:
    with serving(plans, api_keys=f"pipeline:{KEY}") as server:
        with server.client() as client:
            ask(client)
            exposition = client.get("/metrics").text
        log = server.log.read_text()
    return Watched(read_samples(exposition), log, [json.loads(each) for each in log.splitlines()])
