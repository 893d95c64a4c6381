"""`emotions evaluate`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from offline.cli.options import EngineName, PrecisionName, settings_with


def evaluate(
    data: Annotated[Path, typer.Option(help="FER-2013 as .npz, .csv, or folders by label")],
    *,
    split: Annotated[str, typer.Option(help="train, public or private")] = "public",
    predictions: Annotated[
        Path | None, typer.Option(help="File to write, one class index per line")
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="Picture of the confusion matrix to write, .png")
    ] = None,
    engine: EngineName = None,
    precision: PrecisionName = None,
) -> None:
    """Measure the emotion network on labelled faces; print the figures as JSON."""
    from analysis.evaluation.fer2013 import read_split  # noqa: PLC0415  (help stays quick)
    from offline import evaluation  # noqa: PLC0415
    from offline.drawing.confusion import draw_confusion  # noqa: PLC0415

    faces = read_split(data, split)
    scores = evaluation.probabilities(settings_with(engine=engine, precision=precision), faces)
    found = evaluation.figures(scores, faces.labels)
    if predictions is not None:
        evaluation.write_predictions(scores, predictions)
    if confusion is not None:
        draw_confusion(found["confusion"], confusion)
    typer.echo(json.dumps(found, indent=1))
