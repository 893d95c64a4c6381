"""Environments of the peers: our locked packages and theirs, one beside the other."""

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.peers.peer import PEERS, ROOT, Peer

UV = Path(sys.executable).with_name("uv")
LOCK = ROOT / "requirements" / "service.txt"


def set_up(names: list[str]) -> None:
    """Make the environments of the peers called `names`; one that fails leaves the others alone."""
    failed = [peer.name for peer in PEERS if peer.name in names and not _made(peer)]
    if failed:
        raise SystemExit(f"not set up: {', '.join(failed)}")


def _made(peer: Peer) -> bool:
    if peer.requirement is None:
        return True
    print(f"{peer.name}: {peer.requirement} in {peer.environment}", flush=True)
    environment = str(peer.environment)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as instead:
        instead.write("\n".join(peer.instead))
        instead.flush()
        install = ["pip", "install", "--python", environment, "-r", str(LOCK), peer.requirement]
        steps = (
            ["venv", "--allow-existing", "--python", peer.python, environment],
            [*install, "--override", instead.name],
        )
        return all(_done([str(UV), *step, "--quiet"]) for step in steps)


def _done(command: list[str]) -> bool:
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603  (ours)
