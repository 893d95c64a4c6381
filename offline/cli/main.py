"""The `emotions` command."""

from typing import Annotated

import typer

from offline.cli import build, bulk, compare, evaluate, export, keys, models, predict, teach
from offline.cli.console import print_line, report_errors
from offline.cli.options import EngineName, settings_with
from service.wrong_settings import misspelt

HELP = "Find faces and their emotions: an HTTP service, and commands for files and cameras."
app = typer.Typer(no_args_is_help=True, add_completion=False, help=HELP)


@app.callback()
def start(context: typer.Context) -> None:
    """Warn of misspelt settings; the service logs them itself."""
    if context.invoked_subcommand != "serve":
        for warning in misspelt():
            print_line(f"emotions: {warning}")


@app.command()
@report_errors
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one")] = None,
    engine: EngineName = None,
    workers: Annotated[int | None, typer.Option(help="Number of worker processes")] = None,
) -> None:
    """Serve over HTTP until stopped. Other settings are environment variables (EMOTIONS_...)."""
    from service.http.server import run  # noqa: PLC0415  (the other commands need no web server)

    run(settings_with(host=host, port=port, engine=engine, workers=workers))


for command in (
    build.build,
    build.verify,
    predict.predict,
    bulk.bulk,
    evaluate.evaluate,
    compare.compare,
    teach.teach,
    predict.webcam,
    export.export,
):
    app.command()(report_errors(command))
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
