"""`python -m bench.networks`: a line per network, batch size, engine and precision."""

from pathlib import Path

import pytest

from bench import networks
from service.settings import Settings


def test_networks_are_measured_by_engine_and_precision(
    plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "ENGINES", ("onnxruntime",))
    monkeypatch.setattr(networks, "PRECISIONS", ("fp32",))
    lines = list(networks.report(Settings(plans=plans), ["emotion-fer48"], rounds=1))
    assert any(line.startswith("| emotion-fer48 | 8 | onnxruntime | fp32 |") for line in lines)
