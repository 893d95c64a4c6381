"""The generated parts of the pages about GPUs, from `bench.hosts` and `bench.gpu`."""

import re
from contextlib import redirect_stdout
from io import StringIO

from bench.gpu.stages import STAGES
from bench.hosts.__main__ import main
from bench.measure.output import header, row
from tests.docs.blocks import DOCS

WRITTEN = re.compile(r"(<!-- written by .*? -->\n).*?(<!-- end -->)", re.DOTALL)


def hosts_page() -> str:
    """The page with the tables that its command prints."""
    with redirect_stdout(StringIO()) as printed:
        main([])
    return _with("gpu-hosts.md", printed.getvalue())


def day_page() -> str:
    """The page with the stages of a GPU day."""
    rows = (row(f"`{stage.name}`", stage.about, stage.look) for stage in STAGES.values())
    return _with(
        "gpu-day.md", "\n".join([header("stage | what it does | if it stops, look at"), *rows])
    )


def _with(page: str, text: str) -> str:
    written = f"\n{text.strip()}\n\n"
    return WRITTEN.sub(lambda m: m[1] + written + m[2], (DOCS / page).read_text())
