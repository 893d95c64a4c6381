"""The comparison with other servers, with the one that needs no environment of its own."""

import json
import os
import re
from pathlib import Path

import pytest

from bench.inputs.scenes import ONE_FACE, scene
from bench.load.result import Answer, Result
from bench.measure.processes import Usage
from bench.measure.service import Measured
from bench.peers.measure import CLIENTS, PORT, Found, Measurement, rounds
from bench.peers.peer import PEERS, Peer, as_body, as_json, as_tensor, running
from bench.peers.report import clients, draw, table


def measured(rate: int) -> Measured:
    answers = [Answer(200, 0.001, 0.5)] * rate
    return Measured(Result(answers=answers, elapsed=1.0, clients=5), Usage(0.1, 5), {})


def test_a_peer_is_started_loaded_and_stopped(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    monkeypatch.setenv("EMOTIONS_ENGINE", "bench.fakes:instant:1")
    (peer,) = [peer for peer in PEERS if peer.name == "fastapi"]
    plan = Measurement(1, 0.2, {max(os.sched_getaffinity(0))}, plans)
    ((done, found),) = rounds([peer], scene(ONE_FACE), plan)
    assert done == 1
    assert found.limits[0] > 0
    (server,) = found.servers["fastapi"]
    assert server.load.rate > 0
    assert server.load.failed == 0
    assert clients(found) == CLIENTS
    assert server.used.peak_mib > 0
    assert server.server_ms > 0


def test_a_peer_that_ends_before_it_answers_is_started_again(tmp_path: Path) -> None:
    peer = Peer("flaky", ("tests.bench.flaky", str(tmp_path / "started")), as_body)
    log, cores = tmp_path / "log", os.sched_getaffinity(0)
    with running(peer, PORT, log, b"", cores) as process:
        assert process.poll() is None
    assert process.poll() is not None
    never = Peer("never", ("tests.bench.never",), as_body)
    missing = pytest.raises(RuntimeError, match=r"never .*log")
    with missing, running(never, PORT, log, b"", cores):
        pass
    assert "No module named tests.bench.never" in log.read_text()


def test_ratios_are_the_medians_of_the_rounds(tmp_path: Path) -> None:
    ours, theirs = ([measured(rate) for rate in rates] for rates in ((30, 10, 40), (10, 10, 10)))
    found = Found([50, 40, 60], {"mosec": theirs, "emotions": ours})
    lines = list(table(found))
    assert lines[1].startswith("| emotions | 30.0 |  | 0.60 | 1, 1, 1 | 3.3 | 5 | 0 |")
    assert lines[2].startswith("| mosec | 10.0 | 3.00 | 0.20 |")
    draw(found, tmp_path / "peers.png")
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")


def test_each_server_gets_images_in_its_own_form() -> None:
    head, _, tensor = as_tensor(b"jpeg").partition(b"\r\n\r\n")
    length_header = re.search(rb"inference-header-content-length: (\d+)", head)
    assert length_header is not None
    length = int(length_header[1])
    (described,) = json.loads(tensor[:length])["inputs"]
    assert described["shape"] == [len(tensor) - length]
    assert tensor[length:] == b"jpeg"
    assert json.loads(as_json(b"jpeg").partition(b"\r\n\r\n")[2]) == {"image": "anBlZw=="}
    assert b"content-type: image/jpeg" in next(p for p in PEERS if p.name == "emotions").call(b"")
