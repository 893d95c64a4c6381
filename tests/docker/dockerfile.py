"""Dockerfiles as lists of instructions, as far as the tests need them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CPU = ROOT / "docker" / "Dockerfile.cpu"
GPU = ROOT / "docker" / "Dockerfile.gpu"


class Instruction(NamedTuple):
    """One instruction, its continuation lines joined: `COPY`, `a b`."""

    keyword: str
    text: str


def read(path: Path) -> list[Instruction]:
    """The instructions of a file, without comments."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    parts = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [Instruction(keyword, " ".join(text.split())) for keyword, text in parts]


def runtime(path: Path) -> list[Instruction]:
    """The instructions of the last stage, the one that becomes the image."""
    instructions = read(path)
    start = max(i for i, each in enumerate(instructions) if each.keyword == "FROM")
    return instructions[start:]


def of(instructions: list[Instruction], keyword: str) -> list[str]:
    """The texts of one kind of instruction."""
    return [each.text for each in instructions if each.keyword == keyword]


def pins(path: Path) -> dict[str, set[str]]:
    """Versions by package of a lock file; a package may have one for each of several Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found
