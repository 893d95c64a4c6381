"""`emotions models`: show the catalog, fetch weights."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from engines import weights
from engines.catalog import ModelSpec
from engines.errors import ChecksumError, WeightsMissingError
from offline.cli.console import say, tell, told
from service.factory import load_catalog
from service.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Show models and fetch their weights.")


@app.command("list")
@told
def list_models() -> None:
    """Show the catalog: each model, and whether its weights are here."""
    settings = Settings()
    for spec in load_catalog(settings):
        found = _whereabouts(spec, settings)
        typer.echo(f"{spec.name:28} {spec.task:10} {found:46} {spec.licence}")


@app.command()
@told
def pull(names: Annotated[list[str], typer.Argument(help="Models to fetch")]) -> None:
    """Download weights, verify them, and put them where `build` finds them."""
    settings = Settings()
    catalog = load_catalog(settings)
    for spec in [catalog.get(name) for name in names]:
        path = _pull(spec, settings.plans / "weights")
        tell(f"{spec.name}: {path}; now run `emotions build {spec.name}`")


def _pull(spec: ModelSpec, cache: Path) -> Path:
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=say) as bar:
        task = bar.add_task(spec.name, total=None)
        return weights.pull(
            spec, cache, lambda done, total: bar.update(task, completed=done, total=total)
        )


def _whereabouts(spec: ModelSpec, settings: Settings) -> str:
    try:
        return str(weights.find(spec, settings.plans / "weights").name)
    except WeightsMissingError:
        return f"`emotions models pull {spec.name}`" if spec.url else "bring your own"
    except ChecksumError:
        return "not the catalog's file"
