"""The manifests for kustomize are those of the chart."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.docker.dockerfile import ROOT
from tests.kubernetes import chart
from tests.kubernetes.manifests import HEADER, KUSTOMIZE, MANIFESTS, Manifest

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
# What each component changes in the values.
COMPONENTS = {
    "autoscaling": {"autoscaling": {"enabled": True}},
    "monitoring": {"monitoring": {"enabled": True}},
}


def kustomize(folder: Path) -> list[chart.Document]:
    command = ["kubectl", "kustomize", str(folder)]
    return chart.parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def by_name(documents: list[chart.Document]) -> list[chart.Document]:
    return sorted(documents, key=lambda each: (each["kind"], each["metadata"]["name"]))


@chart.needs_helm
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: each.file.parent.name)
def test_a_written_file_is_that_of_the_chart(manifest: Manifest) -> None:
    text = manifest.file.read_text()
    assert text.startswith(HEADER)
    assert by_name(chart.parse(text)) == by_name(manifest.documents())


@chart.needs_helm
@needs_kubectl
@pytest.mark.parametrize("preset", chart.PRESETS)
def test_an_overlay_is_the_chart_with_its_values(preset: str) -> None:
    found = kustomize(KUSTOMIZE / "overlays" / preset)
    assert by_name(found) == by_name(chart.render(chart.preset(preset)))


@chart.needs_helm
@needs_kubectl
@pytest.mark.parametrize("preset", chart.PRESETS)
@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_is_the_chart_with_its_value(
    preset: str, component: str, tmp_path: Path
) -> None:
    here = {
        "resources": [os.path.relpath(KUSTOMIZE / "overlays" / preset, tmp_path.resolve())],
        "components": [os.path.relpath(KUSTOMIZE / "components" / component, tmp_path.resolve())],
    }
    YAML().dump(here, tmp_path / "kustomization.yaml")
    values = chart.merge(chart.preset(preset), COMPONENTS[component])
    assert by_name(kustomize(tmp_path)) == by_name(chart.render(values))


def test_there_is_a_test_of_every_component() -> None:
    assert {each.name for each in (KUSTOMIZE / "components").iterdir()} == COMPONENTS.keys()
    assert {each.name for each in (KUSTOMIZE / "overlays").iterdir()} == chart.PRESETS.keys()


def test_the_chart_has_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    about = chart.read(chart.CHART / "Chart.yaml")
    assert about["version"] == about["appVersion"] == project["version"]
