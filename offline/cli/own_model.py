"""The last step of the commands that make an emotion network."""

import shlex
import subprocess
import sys

import typer

from offline.cli.console import print_line
from offline.own_model import OwnModel
from service.settings import Settings


def build_own(model: OwnModel, settings: Settings) -> None:
    """Run `emotions build` for a model, and print how to serve it.

    It is a process of its own, because it runs again for each further kind of GPU.
    """
    command = [sys.executable, "-m", "offline.cli", "build", model.name]
    done = subprocess.run([*command, "--engine", settings.engine], check=False)  # noqa: S603
    if done.returncode:
        raise typer.Exit(done.returncode)
    print_line(f"now run: EMOTIONS_EMOTION={shlex.quote(model.name)} emotions serve")
