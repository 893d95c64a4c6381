"""values.schema.json accepts the values of the chart, and rejects wrong ones by their names."""

import json
from typing import Any

import pytest

from service.settings import Settings
from tests.kubernetes import chart

SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())
DEFAULTS = chart.read(chart.CHART / "values.yaml")
# Settings that the image and the chart set.
OWN = {"host", "port", "plans", "api_keys", "api_keys_file"}


def closed(schema: Any, path: str = "") -> dict[str, set[str]]:
    """The paths of objects that have a fixed set of names, and these names."""
    found = {path: set(schema["properties"])} if schema.get("additionalProperties") is False else {}
    for name, each in schema.get("properties", {}).items():
        target = SCHEMA["definitions"][each["$ref"].split("/")[-1]] if "$ref" in each else each
        found |= closed(target, f"{path}.{name}".removeprefix("."))
    return found


CLOSED = closed(SCHEMA)


@chart.needs_helm
@pytest.mark.parametrize("path", CLOSED)
def test_a_misspelt_name_is_rejected(path: str) -> None:
    with pytest.raises(chart.ChartError, match="misspelt"):
        chart.render(chart.nested(f"{path}.misspelt".removeprefix("."), "x"))


@pytest.mark.parametrize("path", [each for each in CLOSED if "behavior." not in each])
def test_values_yaml_shows_every_name(path: str) -> None:
    shown = DEFAULTS
    for name in path.split(".") if path else []:
        shown = shown[name]
    assert shown.keys() == CLOSED[path] - {"global"}


def test_the_settings_are_those_of_the_service() -> None:
    names = {f"EMOTIONS_{name.upper()}" for name in Settings.model_fields if name not in OWN}
    assert set(SCHEMA["properties"]["settings"]["propertyNames"]["enum"]) == names


@chart.needs_helm
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image", ""),
        ("replicas", "two"),
        ("replicas", -1),
        ("drainSeconds", 0),
        ("settings.EMOTIONS_PORT", 80),
        ("settings.EMOTIONS_API_KEYS", "secret"),
        ("settings.EMOTIONS_WORKER", 2),
        ("settings.EMOTIONS_DEADLINE_S", "long"),
        ("settings.EMOTIONS_DEADLINE_S", 0),
        ("settings.EMOTIONS_URL_ALLOW", ["https://example.com"]),
        ("resources.limits.memory", "6 GB"),
        ("gpu", "nvidia"),
        ("plans.size", "1 GiB"),
        ("plans.accessMode", "RWX"),
        ("plans.build", [{"name": "NVIDIA L4"}]),
        ("plans.build", [{"name": "l4"}]),
        ("rollingUpdate.maxSurge", "some"),
        ("monitoring.interval", "often"),
        ("autoscaling.busy", 70),
    ],
)
def test_a_wrong_value_is_rejected(path: str, value: Any) -> None:
    with pytest.raises(chart.ChartError, match=path.rsplit(".", maxsplit=1)[-1]):
        chart.render(chart.nested(path, value))
