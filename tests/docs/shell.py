"""Runs the blocks of a page in a shell, with the plans of the tests."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import DOCS

# A service would not end, and packages are here already.
FUNCTIONS = f"""
emotions() {{ [ "$1" = serve ] || {sys.executable} -m offline.cli "$@"; }}
pip() {{ :; }}
curl() {{ command curl -fsS "$@"; }}
"""


def run(text: str, folder: Path, plans: Path) -> str:
    """Return the standard output of a block that runs in a folder, and fail if a line fails."""
    paths = os.pathsep.join(map(str, (DOCS.parent, DOCS.parent / "client")))
    environment = os.environ | {"PYTHONPATH": paths, "EMOTIONS_PLANS": str(plans)}
    command = ["bash", "-euo", "pipefail", "-c", FUNCTIONS + text]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
