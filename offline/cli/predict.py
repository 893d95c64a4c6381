"""`emotions predict` and `emotions webcam`."""

from pathlib import Path
from typing import Annotated

import typer

from offline.cli.console import console, print_line
from offline.cli.options import Fps, MinFace, MinQuality, MinScore, Turns, Url, settings_with
from offline.extras import require_pyav
from offline.tables.convert import TableFormat
from service.telemetry.logs import configure

INTERRUPTED = 130  # the status that shells report for a command that Ctrl-C ended


def predict(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders, quoted patterns")],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder for pictures and tables")] = None,
    table_format: Annotated[
        TableFormat, typer.Option("--format", help="Further format of the tables, beside CSV")
    ] = "csv",
    resume: Annotated[bool, typer.Option(help="Continue an earlier run into --out")] = False,
    embeddings: Annotated[bool, typer.Option(help="Add identity embeddings")] = False,
    identities: Annotated[bool, typer.Option(help="Number the people, with --out")] = True,
    url: Url = None,
    fps: Fps = None,
    min_score: MinScore = None,
    min_face: MinFace = None,
    orientation: Turns = None,
    min_quality: MinQuality = None,
) -> None:
    """Analyze images and videos: JSON lines, or pictures and tables in a folder."""
    from offline import predict as prediction  # noqa: PLC0415  (the other commands start quicker)
    from offline.run import PredictRun  # noqa: PLC0415

    settings = settings_with(
        min_score=min_score, min_face=min_face, orientation=orientation, min_quality=min_quality
    )
    configure(settings)
    run = PredictRun(paths, out, table_format, resume, embeddings, url, fps, identities)
    try:
        failed = prediction.predict(settings, run, console)
    except BrokenPipeError:  # of standard output; typer handles it
        raise
    except OSError as error:
        place = error.filename or out or "standard output"
        print_line(f"emotions: {place}: {error.strerror or error}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        print_line("emotions: stopped" + (f"; continue with --out {out} --resume" if out else ""))
        raise typer.Exit(INTERRUPTED) from None
    if failed:
        print_line(f"emotions: {failed} of the files could not be analyzed, or not completely")
        raise typer.Exit(1)


def webcam(
    source: Annotated[
        str, typer.Argument(help="Number of a camera, a device, or rtsp://...")
    ] = "0",
    out: Annotated[Path | None, typer.Option(help="Folder for a recording")] = None,
    url: Url = None,
    *,
    min_score: MinScore = None,
    min_face: MinFace = None,
    orientation: Turns = None,
    min_quality: MinQuality = None,
) -> None:
    """Analyze a camera or stream until Ctrl-C: JSON lines, or a recording with its report."""
    require_pyav()
    from offline.webcam import watch  # noqa: PLC0415  (PyAV is an extra)

    settings = settings_with(
        min_score=min_score, min_face=min_face, orientation=orientation, min_quality=min_quality
    )
    configure(settings)
    watch(settings, source, out, url, console)
