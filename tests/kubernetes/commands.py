"""The commands of the documentation, without a cluster.

Helm renders and validates. kubectl does what it does without a server, and then meets a closed
port, which shows that it accepts the command.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from tests.docs.blocks import Block
from tests.kubernetes import chart

CLOSED_PORT = "--server=http://127.0.0.1:1"


def commands(block: Block) -> list[list[str]]:
    """The words of each command of a block."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def run(words: Sequence[str], folder: Path) -> list[chart.Document]:
    """Run a command in a folder; return the documents that it would send to the cluster.

    Raises:
        ChartError, subprocess.CalledProcessError, SystemExit: the command is wrong.
    """
    program, *arguments = words
    return {"helm": helm, "kubectl": kubectl, "emotions": emotions}[program](arguments, folder)


def helm(arguments: Sequence[str], folder: Path) -> list[chart.Document]:
    """`helm install` or `helm upgrade`, as far as it renders."""
    given = _helm_parser().parse_args(arguments)
    assert (folder / given.chart).resolve() == chart.CHART
    values = chart.DEFAULT
    for name in given.values:
        values = chart.merge(values, chart.read(folder / name))
    for assignment in given.set:
        path, _, text = assignment.partition("=")
        values = chart.merge(values, chart.nested(path, YAML(typ="safe").load(text)))
    for assignment in given.set_json:
        path, _, text = assignment.partition("=")
        values = chart.merge(values, chart.nested(path, json.loads(text)))
    return chart.render(values, given.name)


def kubectl(arguments: Sequence[str], folder: Path) -> list[chart.Document]:
    """kubectl: the documents that it makes or selects itself."""
    sent = []
    if arguments[0] == "create":
        made = [*arguments, "--dry-run=client", "--output=yaml"]
        sent = chart.parse(_done(["kubectl", *made], folder).stdout)
    if arguments[0] == "apply":
        parser = argparse.ArgumentParser(allow_abbrev=False)
        parser.add_argument("-k")
        parser.add_argument("--selector", default="")
        given, _ = parser.parse_known_args(arguments)
        text = _done(["kubectl", "kustomize", given.k], folder).stdout
        sent = [each for each in chart.parse(text) if _selects(given.selector, each)]
        assert sent, f"{given.selector} selects nothing"
    refused = _done(["kubectl", *arguments, CLOSED_PORT], folder, status=1).stderr
    assert "refused" in refused, refused
    return sent


def emotions(arguments: Sequence[str], folder: Path) -> list[chart.Document]:
    """The command line of this project; it sends nothing to the cluster."""
    _done([sys.executable, "-m", "offline.cli", *arguments], folder)
    return []


def _helm_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("helm", allow_abbrev=False)
    actions = parser.add_subparsers(required=True)
    for action in ("install", "upgrade"):
        one = actions.add_parser(action, allow_abbrev=False)
        one.add_argument("name")
        one.add_argument("chart")
        for option in ("--namespace", "--timeout"):
            one.add_argument(option)
        for option in ("--values", "--set", "--set-json"):
            one.add_argument(option, action="append", default=[])
        one.add_argument("--create-namespace", action="store_true")
        if action == "upgrade":
            one.add_argument("--install", action="store_true")
            one.add_argument("--reuse-values", action="store_true")
    return parser


def _selects(selector: str, document: chart.Document) -> bool:
    wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
    labels: dict[str, str] = document["metadata"].get("labels", {})
    return wanted.items() <= labels.items()


def _done(
    command: Sequence[str], folder: Path, status: int = 0
) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done
