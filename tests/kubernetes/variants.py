"""Values of the chart that users may set, for property tests."""

from typing import Any

from hypothesis import strategies as st

from tests.kubernetes import chart

NAMES = st.just("n" * 53) | st.from_regex(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?", fullmatch=True)
KINDS = st.just("k" * 16) | st.from_regex(r"[a-z0-9]([-a-z0-9]{0,14}[a-z0-9])?", fullmatch=True)
TEXTS = st.text("abcXYZ0189-_.,:/*'\"#{}% \\", max_size=20)
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "EMOTIONS_DEADLINE_S": st.integers(1, 10_000) | st.sampled_from([0.5, 30.25, 1e3 / 3]),
    "EMOTIONS_WORKERS": st.integers(0, 100),
    "EMOTIONS_MAX_HELD_BYTES": st.sampled_from([1, 1 << 26, 1 << 50]),
    "EMOTIONS_DOCS": st.booleans(),
    "EMOTIONS_NMS_IOU": st.floats(0, 1),
    "EMOTIONS_LOG_LEVEL": st.sampled_from(["debug", "info"]),
    "EMOTIONS_EMOTION": TEXTS,
}
BUILD: st.SearchStrategy[Any] = st.lists(
    st.fixed_dictionaries(
        {"name": KINDS},
        optional={"nodeSelector": st.dictionaries(NAMES, NAMES, max_size=2)},
    ),
    max_size=2,
    unique_by=lambda kind: str(kind["name"]),
)
PLANS: st.SearchStrategy[Any] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"claim": NAMES, "build": BUILD}),
    st.fixed_dictionaries({"size": st.just("1Gi"), "build": BUILD}),
)
PEERS = st.lists(st.just({"namespaceSelector": {"matchLabels": {"team": "faces"}}}), max_size=1)
RULES = st.lists(st.just({"ports": [{"port": 443}]}), max_size=1)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(
            ["emotions:cpu", "registry.example.com:5000/faces/emotions@sha256:0"]
        ),
        "replicas": st.integers(0, 1000),
        "settings": st.just({}) | st.fixed_dictionaries(SETTINGS),
        "keysSecret": st.just("") | NAMES,
        "models": st.sampled_from([{}, {"persistentVolumeClaim": {"claimName": "models"}}]),
        "gpu": st.sampled_from(["", "nvidia.com/gpu", "nvidia.com/mig-1g.10gb"]),
        "plans": PLANS,
        "drainSeconds": st.integers(1, 1000),
        "nodeSelector": st.dictionaries(NAMES, NAMES, max_size=2),
        "networkPolicy": st.fixed_dictionaries({"from": PEERS, "egress": RULES}),
        "monitoring": st.fixed_dictionaries({"enabled": st.booleans()}),
        "autoscaling": st.fixed_dictionaries({"enabled": st.booleans()}),
    },
)


def variants() -> st.SearchStrategy[chart.Values]:
    """One of the presets with any values over it."""
    presets = st.sampled_from([chart.preset(name) for name in chart.PRESETS])
    return st.builds(chart.merge, presets, VALUES)
