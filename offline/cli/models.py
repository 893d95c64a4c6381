"""`emotions models`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from engines import download, weights
from engines.catalog import ModelSpec
from engines.errors import ChecksumError, LibraryMissingError, WeightsMissingError
from engines.libraries import select as libraries
from offline.cli.console import console, print_line, report_errors
from service.factory import load_catalog
from service.settings import Settings

app = typer.Typer(no_args_is_help=True, help="List models and download their weights.")


@app.command("list")
@report_errors
def list_models() -> None:
    """List the models of the catalog, and whether their weights are here."""
    settings = Settings()
    for spec in load_catalog(settings):
        state = _weights_state(spec, settings)
        typer.echo(f"{spec.name:28} {spec.task:10} {state:46} {spec.licence}")


@app.command()
@report_errors
def pull(names: Annotated[list[str], typer.Argument(help="Models to download")]) -> None:
    """Download weights, verify them, and put them where `emotions build` finds them."""
    settings = Settings()
    catalog = load_catalog(settings)
    for spec in [catalog.get(name) for name in names]:
        path = _pull(spec, settings.plans / "weights")
        print_line(f"{spec.name}: {path}; now run `emotions build {spec.name}`")


def _pull(spec: ModelSpec, cache: Path) -> Path:
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(spec.name, total=None)
        return download.pull(
            spec, cache, lambda done, total: bar.update(task, completed=done, total=total)
        )


def _weights_state(spec: ModelSpec, settings: Settings) -> str:
    if spec.library:
        return _library_state(spec)
    try:
        return str(weights.find(spec, settings.plans / "weights").path.name)
    except WeightsMissingError:
        return f"`emotions models pull {spec.name}`" if spec.url else "bring your own"
    except ChecksumError:
        return "not the catalog's file"


def _library_state(spec: ModelSpec) -> str:
    try:
        return libraries.find(spec)[0].name
    except LibraryMissingError:
        return f"`pip install '.[{spec.network}]'`"
