"""`emotions compare`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from offline.cli.console import console
from offline.cli.options import EngineName, MinFace, MinScore, settings_with

DETECTORS = ("retinaface-mnet025", "haar")
# The service's overlap of two boxes of one face.
IOU = 0.4


def compare(
    data: Annotated[Path, typer.Option(help="Folder of pictures, with faces.csv")],
    detectors: Annotated[
        list[str] | None, typer.Argument(help=f"Detectors; by default {', '.join(DETECTORS)}")
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figures and the pictures with faces")
    ] = None,
    iou: Annotated[
        float, typer.Option(min=0.01, max=1, help="Overlap with the label of a found face")
    ] = IOU,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON")] = False,
    min_score: MinScore = None,
    min_face: MinFace = None,
    engine: EngineName = None,
) -> None:
    """Compare detectors on labelled pictures: recall, false faces and CPU time, side by side."""
    from analysis.limits import ImageLimits  # noqa: PLC0415  (help stays quick)
    from offline.comparison import results  # noqa: PLC0415
    from offline.comparison.compare import compare as comparison_of  # noqa: PLC0415

    settings = settings_with(min_score=min_score, min_face=min_face, engine=engine)
    if out is not None:
        results.check_out(out)
    comparison = comparison_of(
        data, detectors or DETECTORS, settings, console, iou=iou, exclude=out
    )
    if as_json:
        typer.echo(json.dumps(results.document(comparison), indent=1))
    else:
        typer.echo(results.table(comparison))
    if out is not None:
        results.write(comparison, out, ImageLimits(settings.max_image_bytes, settings.max_pixels))
