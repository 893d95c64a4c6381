"""The `serve` command: addresses, signals, and settings that it cannot serve with."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.server import serving
from tests.service.load import metric

FAKE = "bench.fakes:instant:1"


def ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6")
def test_the_logged_url_of_an_ipv6_address_can_be_opened(plans: Path) -> None:
    with serving(plans, engine=FAKE, host="::1") as server:
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        (url,) = [line["url"] for line in lines if line["event"] == "serving"]
        assert httpx.URL(url).host == "::1"
        assert httpx.get(f"{url}/livez").json() == {"live": True}


@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_in_use_is_reported_in_brackets(plans: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = str(taken.getsockname()[1])
        assert f"[::1]:{port}" in serve(plans, "--host", "::1", "--port", port)


def test_a_second_sigterm_ends_at_once(plans: Path) -> None:
    request = b"POST /v1/emotions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"
    with serving(plans, engine=FAKE) as server:
        url = httpx.URL(server.url)
        with socket.create_connection((url.host, url.port or 80)) as slow:
            slow.sendall(request)
            while metric(server, "emotions_held_bytes") == 0:
                time.sleep(0.01)
            server.process.terminate()
            while "Waiting for connections" not in server.log.read_text():
                time.sleep(0.01)
            assert server.process.poll() is None, "the first one waits for accepted requests"
            server.process.terminate()
            assert server.process.wait(5) == 128 + 15


def test_a_port_in_use_is_an_error_that_names_the_options(plans: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = serve(plans, "--port", str(taken.getsockname()[1]))
    assert "--host and --port" in error


def test_a_missing_plan_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    error = serve(tmp_path, "--port", "0")
    assert "emotions build --engine onnxruntime --precision fp32 retinaface-mnet025" in error


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("URL_ALLOW", "images.example.com"),
        ("API_KEYS_FILE", "/nothing"),
        ("API_KEYS", "a b:c"),
        ("JPEG_DECODER", "nothing"),
    ],
)
def test_a_service_that_cannot_start_does_not_log_its_address(
    plans: Path, processes: str, setting: str, value: str
) -> None:
    wrong = {f"EMOTIONS_{setting}": value, "EMOTIONS_HTTP_PROCESSES": processes}
    error = serve(plans, "--port", "0", **wrong)
    assert "serving" not in error
    assert value.partition(" ")[0] in error or setting in error


def test_a_port_that_kubernetes_sets_is_explained(plans: Path) -> None:
    error = serve(plans, EMOTIONS_PORT="tcp://10.0.0.1:80")
    assert "emotions: EMOTIONS_PORT: Kubernetes sets this variable" in error
    assert "enableServiceLinks: false" in error


def test_a_misspelt_setting_is_logged_once(plans: Path) -> None:
    with serving(plans, engine=FAKE, min_scoer="0.3", http_processes="2") as server:
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    (line,) = [line for line in lines if line["event"] == "setting.unknown"]
    assert line["level"] == "warning"
    assert line["reason"].endswith("did you mean EMOTIONS_MIN_SCORE?")


def serve(plans: Path, *options: str, **variables: str) -> str:
    """Return what a server that cannot start prints: one error, and no traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", "offline.cli", "serve", *options],
        env={"EMOTIONS_PLANS": str(plans), "EMOTIONS_ENGINE": "onnxruntime", "PATH": ""}
        | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr
