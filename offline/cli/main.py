"""The `emotions` command."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from engines.catalog import Precision
from engines.select import ENGINES
from offline.cli import keys, models
from offline.cli.build import build_all, chosen, verify_all
from offline.cli.console import say, tell, told
from offline.cli.export import export
from offline.tables import Form, check_video
from service.settings import Settings
from service.telemetry.logs import configure

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.command()(export)

Names = Annotated[list[str] | None, typer.Argument(help="Models; by default those in use")]
EngineName = Annotated[str | None, typer.Option("--engine", help=f"auto, {', '.join(ENGINES)}")]
PrecisionName = Annotated[Precision | None, typer.Option("--precision", help="Of the plans")]
Capability = Annotated[str | None, typer.Option(help="GPU that tensorrt-rtx builds for, as 8.9")]


def settings_with(**given: Any) -> Settings:
    """Settings with what the command line says over what the environment says."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


@app.command()
@told
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one")] = None,
    engine: EngineName = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes")] = None,
) -> None:
    """Serve over HTTP until stopped. Everything else is set by EMOTIONS_... in the environment."""
    from service.http.server import run  # noqa: PLC0415  (the other commands need no web server)

    run(settings_with(host=host, port=port, engine=engine, workers=workers))


@app.command()
@told
def build(
    names: Names = None,
    *,
    engine: EngineName = None,
    precision: PrecisionName = None,
    compute_capability: Capability = None,
    calibration: Annotated[Path | None, typer.Option(help="Folder of images for int8")] = None,
    force: Annotated[bool, typer.Option(help="Build anew what is there")] = False,
) -> None:
    """Build and verify the plans of models for this machine."""
    settings = settings_with(
        engine=engine, precision=precision, compute_capability=compute_capability
    )
    build_all(
        chosen(names or [], settings),
        settings,
        say,
        force=force or calibration is not None,
        faces=calibration,
        needed=bool(names),
    )


@app.command()
@told
def verify(
    names: Names = None,
    engine: EngineName = None,
    precision: PrecisionName = None,
    compute_capability: Capability = None,
) -> None:
    """Hold built plans against the reference on real faces; print how far apart they are."""
    settings = settings_with(
        engine=engine, precision=precision, compute_capability=compute_capability
    )
    found = verify_all(chosen(names or [], settings), settings, needed=bool(names))
    for spec, sidecar in found:
        key = sidecar.fingerprint
        for figure, value in (sidecar.parity or {}).items():
            typer.echo(f"{spec.name:28} {key.engine:14} {key.precision:6} {figure:10} {value:.6g}")


@app.command()
@told
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Images, folders, quoted patterns")],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder for pictures and tables")] = None,
    form: Annotated[Form, typer.Option("--format", help="Form of the tables, beside CSV")] = "csv",
    resume: Annotated[bool, typer.Option(help="Go on where a run into --out ended")] = False,
    embeddings: Annotated[bool, typer.Option(help="Add identity embeddings")] = False,
    identities: Annotated[bool, typer.Option(help="Number people, into --out")] = True,
    url: Annotated[str | None, typer.Option(help="Ask the service there, not one here")] = None,
    fps: Annotated[float | None, typer.Option(min=0.01, help="Frames a second of videos")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Least score")] = None,
) -> None:
    """Read the emotions in images and videos: lines of JSON, or pictures and tables in a folder."""
    from offline.predict import Job, predict  # noqa: PLC0415

    settings = settings_with(min_score=min_score)
    configure(settings)
    try:
        job = Job(paths, out, form, resume, embeddings, url, fps, identities)
        failed = predict(settings, job, say)
    except OSError as error:
        tell(f"emotions: {error}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        tell("emotions: stopped" + (f"; go on with --out {out} --resume" if out else ""))
        raise typer.Exit(130) from None
    if failed:
        tell(f"emotions: {failed} of the images could not be read")
        raise typer.Exit(1)


@app.command()
@told
def evaluate(
    data: Annotated[Path, typer.Option(help="FER-2013 as .npz, .csv, or folders by label")],
    *,
    split: Annotated[str, typer.Option(help="train, public or private")] = "public",
    predictions: Annotated[Path | None, typer.Option(help="File for a class index a line")] = None,
    confusion: Annotated[Path | None, typer.Option(help="File for a picture, .png")] = None,
    engine: EngineName = None,
    precision: PrecisionName = None,
) -> None:
    """Measure the emotion engine that serves on labelled faces; print figures as JSON."""
    from analysis.evaluation.fer2013 import read_split  # noqa: PLC0415
    from offline.cli import evaluate as evaluation  # noqa: PLC0415

    faces = read_split(data, split)
    scores = evaluation.probabilities(settings_with(engine=engine, precision=precision), faces)
    found = evaluation.figures(scores, faces.labels)
    if predictions is not None:
        evaluation.write_predictions(scores, predictions)
    if confusion is not None:
        evaluation.draw_confusion(found["confusion"], confusion)
    typer.echo(json.dumps(found, indent=1))


@app.command()
@told
def webcam(
    source: Annotated[str, typer.Argument(help="Number, device, or rtsp://…")] = "0",
    out: Annotated[Path | None, typer.Option(help="Folder for a recording")] = None,
    url: Annotated[str | None, typer.Option(help="Ask the service there, not one here")] = None,
) -> None:
    """Watch a camera until Ctrl-C: lines of JSON, or a recording with its report."""
    check_video()
    from offline.webcam import watch  # noqa: PLC0415

    settings = settings_with()
    configure(settings)
    watch(settings, source, out, url, say)
