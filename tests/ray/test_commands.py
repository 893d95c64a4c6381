"""The commands of docs/platforms.md for Ray Serve: Ray finds the application and its arguments."""

import shlex
from collections.abc import Mapping

import pytest
from ray.serve.schema import ServeDeploySchema
from ruamel.yaml import YAML

from emotions.ray import Arguments, app
from tests.docs.blocks import DOCS, blocks

COMMANDS = [
    line
    for block in blocks("platforms.md", "bash")
    for line in block.text.splitlines()
    if line.startswith("serve ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_right(line: str) -> None:
    _, action, what, *arguments = shlex.split(line, comments=True)
    if action == "run":
        check(what, dict(word.split("=") for word in arguments))
        return
    assert action == "deploy"
    text = YAML(typ="safe").load((DOCS.parent / what).read_text())
    for application in ServeDeploySchema.model_validate(text).applications:
        check(application.import_path, application.args)


def check(path: str, arguments: Mapping[str, object]) -> None:
    assert path == f"emotions.ray:{app.__name__}"
    Arguments.model_validate(arguments)


def test_both_ways_to_start_are_shown() -> None:
    assert {line.split()[1] for line in COMMANDS} == {"run", "deploy"}
