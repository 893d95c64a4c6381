"""The Helm chart, rendered by `helm template` or, without Helm, by `helm/main.go`."""

import functools
import io
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from tests.docker.dockerfile import ROOT

CHART = ROOT / "docker" / "chart"
GO = Path("/usr/share/gocode")
# What the stand-in imports, from Debian's packages.
SPRIG = GO / "src" / "github.com" / "Masterminds" / "sprig"
HELM = shutil.which("helm")
needs_helm = pytest.mark.skipif(
    not (HELM or (shutil.which("go") and SPRIG.exists())), reason="needs helm, or Go with sprig"
)

# The files of values of each overlay, in the order of the command line.
PRESETS = {
    "cpu": [],
    "gpu": [CHART / "values-gpu.yaml"],
    "mig": [CHART / "values-gpu.yaml", CHART / "values-mig.yaml"],
}

Values: TypeAlias = Mapping[str, Any]
Document: TypeAlias = dict[str, Any]
DEFAULT: Values = {}
# For the program that renders; it is removed when Python ends.
_FOLDER = tempfile.TemporaryDirectory()


class ChartError(Exception):
    """Helm rejects the values or cannot render the chart."""


def read(file: Path) -> Any:
    """The content of a YAML file."""
    return YAML(typ="safe").load(file)


def parse(text: str) -> list[Document]:
    """The documents of a stream of YAML, without empty ones."""
    return [each for each in YAML(typ="safe").load_all(io.StringIO(text)) if each]


def preset(name: str) -> Values:
    """The values of one of `PRESETS`."""
    return functools.reduce(merge, (read(file) for file in PRESETS[name]), DEFAULT)


def merge(first: Values, second: Values) -> Values:
    """`second` over `first`, as Helm merges values: maps by key, other values as a whole."""
    both = {
        name: merge(first[name], second[name])
        for name in first.keys() & second.keys()
        if isinstance(first[name], Mapping) and isinstance(second[name], Mapping)
    }
    return {**first, **second, **both}


def nested(path: str, value: Any) -> Values:
    """Return `{"a": {"b": value}}` for the path `a.b`."""
    first, _, rest = path.partition(".")
    return {first: nested(rest, value) if rest else value}


def template(values: Values = DEFAULT, release: str = "emotions", *, numbers: bool = False) -> str:
    """The manifests of a release, as text.

    Args:
        values: they replace those of values.yaml.
        release: name of the release.
        numbers: let the stand-in read numbers as texts, as some versions of Helm do.

    Raises:
        ChartError: values.schema.json rejects the values, or a template fails.
    """
    if HELM:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            return _run([HELM, "template", release, str(CHART), "--values", file.name])
    given = merge(read(CHART / "values.yaml"), values)
    try:
        jsonschema.validate(given, json.loads((CHART / "values.schema.json").read_text()))
    except jsonschema.ValidationError as error:
        raise ChartError(f"{error.json_path}: {error.message}") from error
    return _run([_stand_in(), str(CHART), release, *["numbers"] * numbers], json.dumps(given))


def render(
    values: Values = DEFAULT, release: str = "emotions", *, numbers: bool = False
) -> list[Document]:
    """The documents of `template`."""
    return parse(template(values, release, numbers=numbers))


@functools.cache
def _stand_in() -> str:
    source = Path(__file__).with_name("helm") / "main.go"
    program = Path(_FOLDER.name) / "helm"
    go = {"GOPATH": str(GO), "GO111MODULE": "off"}
    _run(["env", *map("=".join, go.items()), "go", "build", "-o", str(program), str(source)])
    return str(program)


def _run(command: list[str], text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChartError(done.stderr)
    return done.stdout
