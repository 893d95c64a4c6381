"""The dashboard and the rules use only metrics and labels that the service exports."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from bench.scaling.manifest import read, scaled_object
from tests.docker.dockerfile import ROOT
from tests.observability.promql import SCRAPED, Selector, selectors
from tests.observability.samples import Watched

FOLDER = ROOT / "docker" / "observability"
SCHEMA = Path(__file__).with_name("dashboard.schema.json")
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")


def read_yaml(name: str) -> Any:
    return YAML(typ="safe").load((FOLDER / name).read_text())


RULES = [rule for group in read_yaml("alerts.yml")["groups"] for rule in group["rules"]]
EXPRESSIONS = [t["expr"] for panel in PANELS for t in panel["targets"]] + [
    rule["expr"] for rule in RULES
]
EXPRESSIONS += read(scaled_object()).queries.values()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_use_exported_metrics_and_labels(watched: Watched, expression: str) -> None:
    exported = {
        name: {label for labels, _ in samples for label in labels}
        for name, samples in watched.samples.items()
    } | {"up": set()}
    found = selectors(expression)
    assert found
    for metric, labels in found:
        assert metric in exported
        assert labels <= exported[metric] | SCRAPED, metric


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_codes_reasons_and_stages_in_it_exist(watched: Watched, expression: str) -> None:
    for label, value in re.findall(r'(code|reason|stage|network)="(\w+)"', expression):
        known = {labels.get(label) for found in watched.samples.values() for labels, _ in found}
        assert value in known


def test_every_metric_that_is_ours_is_on_the_dashboard(watched: Watched) -> None:
    shown = {s.metric for panel in PANELS for t in panel["targets"] for s in selectors(t["expr"])}
    families = {re.sub(r"_(sum|count|bucket)$", "", name) for name in shown}
    ours = {
        re.sub(r"_(sum|count|bucket)$", "", name)
        for name in watched.samples
        if name.startswith("emotions_")
    }
    asked_elsewhere = {
        "emotions_build_info",
        "emotions_received_bytes_total",
        "emotions_key_received_bytes_total",
    }
    assert ours - families == asked_elsewhere


def test_the_selectors_are_found() -> None:
    text = 'sum by (le) (rate(a_bucket{path="/x", job=~"$job"}[5m])) / on (b) c > 1'
    assert selectors(text) == {
        Selector("a_bucket", frozenset({"le", "path", "job", "b"})),
        Selector("c", frozenset({"b"})),
    }
    for wrong in ("rate(a)", "sum(", "rate(a[$unknown])"):
        with pytest.raises(ValueError, match=r".+"):
            selectors(wrong)


def test_the_dashboard_is_of_grafanas_form() -> None:
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(DASHBOARD)


def test_the_compose_file_follows_its_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, str(FOLDER / "compose.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_panels_have_places_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names)


def test_its_variables_are_those_that_are_used() -> None:
    text = (FOLDER / "dashboard.json").read_text()
    declared = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]+)", text)) == declared
    for variable in DASHBOARD["templating"]["list"][1:]:
        metric, _, label = variable["query"]["query"][len("label_values(") : -1].rpartition(", ")
        assert selectors(metric)
        assert label in SCRAPED


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_of_prometheus_form(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Emotions[A-Z]\w+", rule["alert"])
    assert DURATION.fullmatch(rule.get("for", "1m"))
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "action"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_names_labels_that_it_has(rule: dict[str, Any]) -> None:
    text = " ".join(rule["annotations"].values())
    named = set(re.findall(r"\$labels\.(\w+)", text))
    assert named <= set.union(*(set(s.labels) for s in selectors(rule["expr"])), SCRAPED)


def test_each_kind_of_trouble_has_a_rule() -> None:
    assert {rule["alert"].removeprefix("Emotions") for rule in RULES} >= {
        *("Down", "NotReady", "Errors", "QueueFull", "Refusing", "Slow"),
        *("WorkersMissing", "WorkerRestarts", "LowBatchFill"),
    }
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_mounted_files_exist() -> None:
    services = read_yaml("compose.yml")["services"]
    for service in services.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        sources = [volume.split(":")[0] for volume in service["volumes"]]
        assert all((ROOT / source).is_file() for source in sources if source.startswith("."))
    targets = {volume.split(":")[1] for volume in services["prometheus"]["volumes"]}
    assert set(read_yaml("prometheus.yml")["rule_files"]) <= targets
