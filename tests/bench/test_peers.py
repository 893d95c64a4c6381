"""The harness that measures peers, with the one that needs no environment of its own."""

import json
import os
import re
from pathlib import Path

import pytest

from bench import networks
from bench.peers.measure import PORT, Found, Turn, rounds
from bench.peers.peer import PEERS, Peer, as_body, as_json, as_tensor, running
from bench.peers.report import draw, table
from bench.scenes import scene
from service.settings import Settings

SCENE = "640x480, 1 face"
TURN = Turn(rate=10, p50=1, p95=2, p99=3, cpu_ms=4, mib=5, failed=0)


def test_a_peer_is_started_loaded_and_stopped(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    (peer,) = [peer for peer in PEERS if peer.name == "fastapi"]
    one = {max(os.sched_getaffinity(0))}
    measured = rounds([peer], scene(SCENE), count=1, seconds=0.3, cores=one, logs=plans)
    ((done, found),) = measured
    assert done == 1
    assert found.limit > 0
    (turn,) = found.turns["fastapi"]
    assert turn.rate > 0
    assert turn.failed == 0
    assert turn.mib > 0
    assert turn.cpu_ms > 0


def test_a_peer_that_ends_before_it_answers_is_started_again(tmp_path: Path) -> None:
    peer = Peer("flaky", ("tests.bench.flaky", str(tmp_path / "started")), as_body)
    log, cores = tmp_path / "log", os.sched_getaffinity(0)
    with running(peer, PORT, log, b"", cores) as process:
        assert process.poll() is None
    assert process.poll() is not None
    never = Peer("never", ("tests.bench.never",), as_body)
    gone = pytest.raises(RuntimeError, match=r"never does not answer; see .*log")
    with gone, running(never, PORT, log, b"", cores):
        pass
    assert "No module named tests.bench.never" in log.read_text()


def test_ratios_are_the_medians_of_the_rounds(tmp_path: Path) -> None:
    ours = [TURN._replace(rate=rate) for rate in (30, 10, 40)]
    theirs = [TURN._replace(rate=rate) for rate in (10, 10, 10)]
    found = Found([50, 40, 60], {"mosec": theirs, "emotions": ours})
    lines = list(table(found))
    assert lines[2].startswith("| emotions | 30.0 |  | 0.60 |")
    assert lines[3].startswith("| mosec | 10.0 | 3.00 | 0.20 |")
    draw(found, tmp_path / "peers.png")
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")


def test_images_are_wrapped_as_each_server_wants_them() -> None:
    head, _, tensor = as_tensor(b"jpeg").partition(b"\r\n\r\n")
    told = re.search(rb"inference-header-content-length: (\d+)", head)
    assert told is not None
    length = int(told[1])
    (described,) = json.loads(tensor[:length])["inputs"]
    assert described["shape"] == [len(tensor) - length]
    assert tensor[length:] == b"jpeg"
    assert json.loads(as_json(b"jpeg").partition(b"\r\n\r\n")[2]) == {"image": "anBlZw=="}
    assert b"content-type: image/jpeg" in next(p for p in PEERS if p.name == "emotions").call(b"")


def test_networks_are_measured_by_engine_and_precision(
    plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "ENGINES", ("onnxruntime",))
    monkeypatch.setattr(networks, "PRECISIONS", ("fp32",))
    lines = list(networks.report(Settings(plans=plans), ["emotion-fer48"], rounds=1))
    assert any(line.startswith("| emotion-fer48 | 8 | onnxruntime | fp32 |") for line in lines)
