"""The README has the sentence of the committed result, or that no GPU has run the graphs."""

from bench.gpu.quote import COMMITTED, sentence
from tests.docs.blocks import DOCS


def test_the_readme_has_the_sentence_of_the_committed_result() -> None:
    text = " ".join((DOCS.parent / "README.md").read_text().split())
    assert sentence() in text, f"{COMMITTED} has changed; put its sentence into README.md"
