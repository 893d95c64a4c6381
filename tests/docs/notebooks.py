"""Runs the notebooks of docs/notebooks.

`python -m tests.docs.notebooks client film teach --data fer2013.npz` writes their outputs into the
files. `evaluate` trains a network for a quarter of an hour, in the environment for training.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from analysis.evaluation.fer2013 import read_split
from tests.docs.blocks import DOCS
from tests.docs.fer2013 import write_fer2013
from tests.server import serving

FOLDER = DOCS / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
URL = "http://localhost:8000"


def read(name: str) -> Any:
    """Return a notebook of the documentation."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def run(name: str, folder: Path, plans: Path, changes: Mapping[str, str]) -> Any:
    """Run a notebook in a folder and return it with its outputs.

    Args:
        name: name of the notebook.
        folder: where it runs.
        plans: the plans that its commands use, and where they add theirs.
        changes: text to replace in the source while it runs, and what replaces it.

    Raises:
        CellExecutionError: a cell fails.
    """
    notebook = read(name)
    sources = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        for old, new in changes.items():
            cell.source = cell.source.replace(old, new)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, record_timing=False, resources=resources)
    client.execute(env=_environment(folder, plans))
    for cell, source in zip(notebook.cells, sources, strict=True):
        cell.source = source
    notebook.metadata.language_info = {"name": "python"}  # without the version
    return notebook


def _environment(folder: Path, plans: Path) -> dict[str, str]:
    return os.environ | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": os.pathsep.join((str(DOCS.parent), str(DOCS.parent / "client"))),
        "IPYTHONDIR": str(folder / ".ipython"),
        "EMOTIONS_PLANS": str(plans),
        "EMOTIONS_ENGINE": "onnxruntime",
    }


def printed(notebook: Any) -> str:
    """Return what the code cells printed, and the text of their results."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(each.get("text", "") or each.data.get("text/plain", "") for each in outputs)


def write(names: list[str], data: Path | None) -> None:
    """Run notebooks with a server, and write them with their outputs."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, plans = Path(temporary, "run"), Path(temporary, "plans")
        folder.mkdir()
        plans.mkdir()
        build = [sys.executable, "-m", "offline.cli", "build"]
        subprocess.run(build, check=True, env=_environment(folder, plans))
        if data is not None:
            splits = {split: read_split(data, split) for split in ("train", "public")}
            write_fer2013(folder / "fer2013.csv", splits)
        with serving(plans, engine="onnxruntime") as server:
            for name in names:
                notebook = run(name, folder, plans, {URL: server.url})
                nbformat.write(notebook, FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=NAMES)
    parser.add_argument("--data", type=Path, help="FER-2013")
    given = parser.parse_args()
    write(given.names, given.data)
