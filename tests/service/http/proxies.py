"""Real proxies in front of a real server; their tests are skipped where they are not installed."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.measure.ports import free_ports
from tests.docs.blocks import DOCS
from tests.waiting import until

NGINX = """
user root; daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/a; uwsgi_temp_path {folder}/b; scgi_temp_path {folder}/c;
{sites}
}}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
frontend site
    bind 127.0.0.1:{port}
    default_backend service
backend service
    option httpchk{check}
    default-server inter 100ms fastinter 100ms
    server one {upstream} check
"""


def documented_nginx() -> str:
    """Return the configuration of nginx in `docs/operations.md`."""
    text = (DOCS / "operations.md").read_text()
    found = re.search(r"^```nginx\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@contextmanager
def nginx(folder: Path, upstream: str, *changes: tuple[str, str]) -> Iterator[str]:
    """Run nginx as the documentation configures it, without TLS; yield its URL.

    `upstream` is the host and port of the service. Each of `changes` is what to replace by what.
    """
    (port,), site = free_ports(1), re.sub(r" *ssl_certificate.*\n", "", documented_nginx())
    for old, new in (
        ("127.0.0.1:8000", upstream),
        ("listen 443 ssl", f"listen 127.0.0.1:{port}"),
        *changes,
    ):
        assert old in site
        site = site.replace(old, new)
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, sites=site))
    with _running(["nginx", "-e", f"{folder}/error.log", "-c", str(file)], port) as url:
        yield url


@contextmanager
def haproxy(folder: Path, upstream: str, check: str) -> Iterator[str]:
    """Run HAProxy, which sends the health check `check`; yield its URL."""
    (port,), file = free_ports(1), folder / "haproxy.cfg"
    file.write_text(HAPROXY.format(port=port, upstream=upstream, check=check))
    with _running(["haproxy", "-db", "-f", str(file)], port) as url:
        yield url


@contextmanager
def _running(command: list[str], port: int) -> Iterator[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    with subprocess.Popen(command) as process:
        try:
            until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
