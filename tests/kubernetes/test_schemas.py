"""Every document is valid in every supported version of Kubernetes, and for the operators."""

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from kubernetes_validate.utils import (  # type: ignore[import-untyped]
    all_versions,
    major_minor,
)
from packaging.version import Version

from tests.kubernetes import chart

SCHEMAS = {
    kind: json.loads(Path(__file__).with_name(f"{kind.lower()}.schema.json").read_text())
    for kind in ("PodMonitor", "ScaledObject")
}
OLDEST = chart.read(chart.CHART / "Chart.yaml")["kubeVersion"].removeprefix(">=").removesuffix("-0")
VERSIONS = sorted(
    {major_minor(each) for each in all_versions() if Version(each) >= Version(OLDEST)}, key=Version
)
# Everything that is off by default.
FULL: chart.Values = {
    "imagePullSecrets": [{"name": "registry"}],
    "settings": {"EMOTIONS_DEADLINE_S": 12.5},
    "keysSecret": "keys",
    "models": {"persistentVolumeClaim": {"claimName": "models"}},
    "plans": {"size": "1Gi", "storageClass": "nfs", "build": [{"name": "all"}]},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "runtimeClassName": "nvidia",
    "networkPolicy": {
        "from": [{"namespaceSelector": {}}],
        "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443}]}],
    },
    "monitoring": {"enabled": True, "labels": {"release": "prometheus"}},
    "autoscaling": {"enabled": True},
}
# Each version with everything on, and the presets in the oldest and the newest.
CASES = [(FULL, version) for version in VERSIONS] + [
    (chart.preset(name), version)
    for name in chart.PRESETS
    for version in (VERSIONS[0], VERSIONS[-1])
]


def validate(document: chart.Document, version: str) -> None:
    if schema := SCHEMAS.get(document["kind"]):
        jsonschema.validate(document, schema)
    else:
        kubernetes_validate.validate(document, version, strict=True)


@chart.needs_helm
@pytest.mark.parametrize(("values", "version"), CASES)
def test_documents_are_valid(values: chart.Values, version: str) -> None:
    for each in chart.render(values):
        validate(each, version)


def test_the_oldest_supported_version_is_tested() -> None:
    assert major_minor(OLDEST) == VERSIONS[0] == "1.30"


@chart.needs_helm
def test_misspelt_fields_are_rejected() -> None:
    for each in chart.render(FULL):
        spec = each if each["kind"] == "ServiceAccount" else each["spec"]
        spec["unknownField"] = True
        with pytest.raises(jsonschema.ValidationError) as caught:
            validate(each, VERSIONS[-1])
        assert "unknownField" in caught.value.message
