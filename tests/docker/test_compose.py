"""docker-compose.yml is valid, and its services have no right that they do not need."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.dockerfile import ROOT

HARDENED = Path(__file__).with_name("hardened.schema.json")


@pytest.mark.skipif(
    importlib.util.find_spec("check_jsonschema") is None, reason="needs check-jsonschema"
)
@pytest.mark.parametrize(
    "schema",
    [["--builtin-schema", "vendor.compose-spec"], ["--schemafile", str(HARDENED)]],
    ids=["specification", "hardened"],
)
def test_follows_the_schema(schema: list[str]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", *schema, "docker-compose.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
