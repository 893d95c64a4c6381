"""The commands and files of docs/platforms.md that concern Kubernetes."""

import re
import shutil
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, Block, blocks
from tests.kubernetes import chart
from tests.kubernetes.commands import commands, run
from tests.kubernetes.test_schemas import VERSIONS, validate

PAGE = "platforms.md"
EXAMPLES = [
    block for block in blocks(PAGE, "bash") if re.search(r"^(helm|kubectl) ", block.text, re.M)
]
NAMED = re.compile(r"# ([\w/.-]+\.yaml)\n")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the repository's manifests, and the files that the page shows."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "docker").symlink_to(DOCS.parent / "docker")
    for block in blocks(PAGE, "yaml"):
        if name := NAMED.match(block.text):
            file = folder / name[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text)
    return folder


@chart.needs_helm
@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.text.split("\n")[0][:60])
def test_an_example_runs(block: Block, desk: Path) -> None:
    for words in commands(block):
        for document in run(words, desk):
            validate(document, VERSIONS[-1])


def test_there_are_examples_of_every_kind() -> None:
    texts = "\n".join(block.text for block in EXAMPLES)
    for kind in (
        "helm install",
        "helm upgrade",
        "apply -k",
        "values-gpu",
        "values-mig",
        "keys new",
    ):
        assert kind in texts, kind


def test_every_file_that_is_shown_is_used() -> None:
    texts = "\n".join(block.text for block in EXAMPLES)
    for block in blocks(PAGE, "yaml"):
        if name := NAMED.match(block.text):
            used = name[1].removesuffix("/kustomization.yaml")
            assert used in texts, used
