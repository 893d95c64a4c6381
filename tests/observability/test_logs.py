"""The log has one line per request, with its cost but without its content."""

import base64
import subprocess
import sys

from tests.docker.dockerfile import CPU, of, runtime
from tests.observability.samples import ASTRONAUT, KEY, TRACE, WRONG, Watched

STAGES = {"read", "queue", "decode", "detect", "align", "classify", "serialise"}


def test_the_line_of_a_request(watched: Watched) -> None:
    (line,) = watched.requests(200)
    assert (line["method"], line["path"], line["level"]) == ("POST", "/v1/emotions", "info")
    assert (line["images"], line["faces"], line["key"]) == (2, 2, "pipeline")
    assert line["bytes"] > 2 * len(ASTRONAUT)
    assert line["trace_id"] == TRACE
    assert len(line["request_id"]) == 32
    assert set(line["stages_ms"]) == STAGES
    assert 0 < line["stages_ms"]["detect"] < line["ms"]


def test_the_line_of_a_rejected_request_has_its_code(watched: Watched) -> None:
    codes = {status: watched.requests(status)[0]["code"] for status in (401, 415, 422)}
    assert codes == {401: "unauthorized", 415: "unsupported_media", 422: "corrupt_image"}
    assert "key" not in watched.requests(401)[0]


def test_probes_are_not_logged(watched: Watched) -> None:
    assert all(line.get("path") not in ("/readyz", "/metrics") for line in watched.lines)


def test_no_key_file_name_or_image_is_logged(watched: Watched) -> None:
    encoded = base64.b64encode(ASTRONAUT).decode()
    for secret in (KEY, WRONG, "secret-name", encoded[:40], repr(ASTRONAUT[16:40])[2:-1]):
        assert secret not in watched.log


def test_the_images_log_for_machines() -> None:
    assert "EMOTIONS_LOG_FORMAT=json" in of(runtime(CPU), "ENV")


def test_a_terminal_gets_one_readable_line() -> None:
    program = """
import structlog
from service.telemetry.logs import configure
from service.settings import Settings
configure(Settings())
structlog.get_logger("emotions.access").info("request", stages_ms={"read": 1.0, "detect": 25.25})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    (line,) = done.stderr.splitlines()
    assert "read 1 detect 25.25" in line


def test_a_closed_log_does_not_fail_requests() -> None:
    program = """
import os
import structlog
from service.telemetry.logs import configure
from service.settings import Settings
configure(Settings(log_format="json"))
os.close(2)
for _ in range(1000):
    structlog.get_logger("emotions.access").info("request")
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "done\n"
