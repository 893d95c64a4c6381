"""The manifests for kustomize, written from the chart:  python -m tests.kubernetes.manifests"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.docker.dockerfile import ROOT
from tests.kubernetes import chart

KUSTOMIZE = ROOT / "docker" / "kubernetes"
HEADER = "# written by `python -m tests.kubernetes.manifests` from docker/chart\n"


class Manifest(NamedTuple):
    """A generated file: the values of the chart, and the kinds that it holds; none means all."""

    file: Path
    values: chart.Values
    kinds: Sequence[str] = ()

    def documents(self) -> list[chart.Document]:
        """What the file holds."""
        return [each for each in chart.render(self.values) if self._holds(each)]

    def text(self) -> str:
        """The file."""
        parts = chart.template(self.values).split("\n---\n")
        held = [
            part.removeprefix("---\n").strip() for part in parts if self._holds(*chart.parse(part))
        ]
        return HEADER + "\n---\n".join(held) + "\n"

    def _holds(self, document: chart.Document) -> bool:
        return not self.kinds or document["kind"] in self.kinds


MANIFESTS = [
    Manifest(KUSTOMIZE / "base" / "emotions.yaml", chart.preset("cpu")),
    Manifest(KUSTOMIZE / "overlays" / "gpu" / "emotions.yaml", chart.preset("gpu")),
    Manifest(KUSTOMIZE / "overlays" / "mig" / "emotions.yaml", chart.preset("mig")),
    Manifest(
        KUSTOMIZE / "components" / "autoscaling" / "scaledobject.yaml",
        {"autoscaling": {"enabled": True}},
        ["ScaledObject"],
    ),
    Manifest(
        KUSTOMIZE / "components" / "monitoring" / "podmonitor.yaml",
        {"monitoring": {"enabled": True}},
        ["PodMonitor"],
    ),
]

if __name__ == "__main__":
    for manifest in MANIFESTS:
        manifest.file.write_text(manifest.text())
