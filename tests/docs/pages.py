"""What the documentation takes from the code: `python -m tests.docs.pages` writes it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from prometheus_client import Metric
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from analysis.errors import kinds
from service.settings import Settings
from service.telemetry.metrics import Metrics
from tests.docs.gpu import day_page, hosts_page
from tests.docs.robustness import robustness_page

DOCS = Path(__file__).parents[2] / "docs"
NOTE = "<!-- written by `python -m tests.docs.pages` -->"
KINDS: dict[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path",
    SecretStr: "list", NoneType: "",
}  # fmt: skip


def settings_page() -> str:
    """Every setting, from the class that reads them."""
    rows = (
        f"| `EMOTIONS_{name.upper()}` | {_kind(field)} | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    )
    return "\n".join((
        NOTE, "", "# Settings", "",
        "All are variables of the environment. The options of the command line (`emotions serve",
        "--help`) come first, then the environment, then the default. A setting that is wrong ends",
        "the command with a sentence that names it. A misspelt variable is logged, with the",
        "nearest setting.", "",
        "| variable | takes | default | |", "|---|---|---|---|", *rows, "",
    ))  # fmt: skip


def _kind(field: FieldInfo) -> str:
    return " or ".join(filter(None, dict.fromkeys(_names(field.annotation)))) or "text"


def _names(kind: Any) -> Iterator[str]:
    origin = get_origin(kind)
    if origin is Literal:
        yield from (f"`{value}`" for value in get_args(kind))
    elif origin in (Union, UnionType, Annotated):
        for part in get_args(kind)[: 1 if origin is Annotated else None]:
            yield from _names(part)
    elif origin is tuple:
        yield "list, with commas"
    else:
        yield KINDS[kind]


def _default(field: FieldInfo) -> str:
    value = field.default
    if value in (None, "", (), PydanticUndefined):
        return ""
    if isinstance(value, Path):
        return "`engines/plans`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def metrics_page() -> str:
    """Every metric, from the registry."""
    metrics = Metrics()
    labels = {
        name: getattr(collector, "_labelnames", ())
        for collector, names in metrics.registry._collector_to_names.items()  # noqa: SLF001  (no public way)
        for name in names
    }
    ours = (f for f in metrics.registry.collect() if f.name.startswith("emotions_"))
    families = sorted(ours, key=lambda family: family.name)
    rows = (
        f"| `{_exported(f)}` | {f.type} | {', '.join(f'`{n}`' for n in labels.get(f.name, ()))} "
        f"| {f.documentation} |"
        for f in families
    )
    return "\n".join((
        NOTE, "", "# Metrics", "",
        "At `/metrics`, in Prometheus' text format. A histogram has `_bucket`, `_sum` and",
        "`_count`. [Observability](observability.md) says which question each answers. Beside",
        "these there are the usual `process_` metrics of the serving process (memory, CPU,",
        "descriptors).", "",
        "| metric | type | labels | |", "|---|---|---|---|", *rows, "",
    ))  # fmt: skip


def _exported(family: Metric) -> str:
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    return family.name + suffix


def errors_table() -> str:
    """Every code that a client can receive, by status."""
    rows = sorted(
        (int(kind.status), kind.code, (kind.__doc__ or "").splitlines()[0]) for kind in kinds()
    )
    lines = (f"| {status} | `{code}` | {text} |" for status, code, text in rows)
    return "\n".join(("| status | code | |", "|---|---|---|", *lines))


def api_page() -> str:
    """The page as it is, with the table of errors anew."""
    text = (DOCS / "api.md").read_text()
    table = f"<!-- errors: {NOTE[5:]}\n\n{errors_table()}\n\n<!-- end -->"
    return re.sub(r"<!-- errors: .*?<!-- end -->", lambda _: table, text, flags=re.DOTALL)


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "api.md": api_page,
    "robustness.md": robustness_page,
    "gpu-hosts.md": hosts_page,
    "gpu-day.md": day_page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
