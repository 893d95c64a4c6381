"""Containers have 64 MB of /dev/shm, read-only ones no /tmp: the workers need neither."""

import sys
from pathlib import Path

import pytest

from tests.photographs import ASTRONAUT_FILE
from tests.server import Server
from tests.service.load import workers


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory has no file on Linux only")
def test_workers_share_memory_that_is_in_no_folder(server: Server) -> None:
    with server.client() as client:
        headers = {"content-type": "image/png"}
        sent = client.post("/v1/emotions", content=ASTRONAUT_FILE.read_bytes(), headers=headers)
        sent.raise_for_status()
    found = workers(server)
    assert found
    for pid in (server.process.pid, *found):
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "/memfd:emotions" in mapped
        opened = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
        assert not [name for name in opened if name.startswith("/dev/shm/")]
        assert "/dev/shm/" not in mapped
