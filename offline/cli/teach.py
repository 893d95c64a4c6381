"""`emotions teach`."""

from pathlib import Path
from typing import Annotated

import typer

from offline.cli.console import console, print_line
from offline.cli.options import EngineName, settings_with
from offline.cli.own_model import build_own

# Below it, the reading of a face is right less often than not.
LEAST_QUALITY = 0.5


def teach(
    folder: Annotated[
        Path, typer.Argument(help="Folder with photographs in a subfolder per class")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; its name is that of the network")],
    *,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Train the last layers, too; needs PyTorch")
    ] = False,
    min_quality: Annotated[
        float, typer.Option(min=0, max=1, help="Lowest quality of a face that is used")
    ] = LEAST_QUALITY,
    engine: EngineName = None,
) -> None:
    """Teach the emotion network classes of your own, and make the service able to use it."""
    from offline.teaching import results  # noqa: PLC0415  (help stays quick)
    from offline.teaching.teach import teach as lesson_of  # noqa: PLC0415
    from service.telemetry.logs import configure  # noqa: PLC0415

    settings = settings_with(engine=engine)
    configure(settings)
    place = results.Place.of(out, settings)
    lesson = lesson_of(folder, settings, console, least_quality=min_quality, finetune=finetune)
    results.write(lesson, place)
    low, high = lesson.figures.interval
    for warning in lesson.warnings():
        print_line(f"note: {warning}")
    print_line(
        f"accuracy {lesson.figures.accuracy:.1%} ({low:.1%} to {high:.1%}) on "
        f"{len(lesson.faces.names)} faces, {len(lesson.faces.left_out)} pictures left out; "
        f"see {place.card}"
    )
    build_own(place.model, settings)
