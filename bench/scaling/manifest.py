"""Reads the autoscaling rule from the manifest that users apply."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from bench.scaling.rule import Direction, Policy, Rule

FOLDER = Path(__file__).parents[2] / "docker" / "kubernetes" / "components" / "autoscaling"
UNITS = {"s": 1, "m": 60, "h": 3600}


class Manifest(NamedTuple):
    """A rule, and its queries by name."""

    rule: Rule
    queries: Mapping[str, str]


def scaled_object(folder: Path = FOLDER) -> Any:
    """The ScaledObject among the manifests of a folder.

    Raises:
        FileNotFoundError: the folder has none.
    """
    for file in sorted(folder.glob("*.yaml")):
        for document in YAML(typ="safe").load_all(file):
            if document and document.get("kind") == "ScaledObject":
                return document
    raise FileNotFoundError(f"no ScaledObject in {folder}")


def read(document: Any, factor: float = 1) -> Manifest:
    """Read a ScaledObject; divide all its times by `factor`.

    Raises:
        ValueError: a trigger is none that this reads.
    """
    spec = document["spec"]
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    triggers = {}
    for trigger in spec["triggers"]:
        if (trigger["type"], trigger["metricType"]) != ("prometheus", "AverageValue"):
            raise ValueError(f"cannot read the trigger {trigger}")
        triggers[trigger["name"]] = trigger["metadata"]
    rule = Rule(
        minimum=spec["minReplicaCount"],
        maximum=spec["maxReplicaCount"],
        up=_direction(behaviour["scaleUp"], factor),
        down=_direction(behaviour["scaleDown"], factor),
        triggers={name: float(each["threshold"]) for name, each in triggers.items()},
    )
    return Manifest(rule, {name: faster(each["query"], factor) for name, each in triggers.items()})


def _direction(behaviour: Any, factor: float) -> Direction:
    policies = [
        Policy(each["type"], each["value"], each["periodSeconds"] / factor)
        for each in behaviour["policies"]
    ]
    return Direction(behaviour["stabilizationWindowSeconds"] / factor, policies)


def faster(query: str, factor: float) -> str:
    """A query with all its ranges divided by `factor`, in milliseconds."""

    def shorter(found: re.Match[str]) -> str:
        return f"[{1000 * int(found[1]) * UNITS[found[2]] / factor:.0f}ms]"

    return re.sub(r"\[(\d+)([smh])\]", shorter, query)
