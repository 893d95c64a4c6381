"""`emotions bulk`."""

from typing import TYPE_CHECKING, Annotated

import typer

from offline.cli.console import console, print_line
from offline.cli.options import Fps, MinFace, MinQuality, MinScore, Turns, settings_with
from offline.cli.predict import INTERRUPTED
from offline.extras import require_objects, require_ray
from service.telemetry.logs import configure

if TYPE_CHECKING:
    from offline.bulk.types import Run


def bulk(
    source: Annotated[str, typer.Argument(help="A folder, or s3://, gs:// or az://")],
    target: Annotated[str, typer.Argument(help="A folder or URL for the Parquet files")],
    *,
    ray: Annotated[
        str | None,
        typer.Option(help="Use Ray: auto for the cluster of this machine, HOST:PORT, or local"),
    ] = None,
    cpus: Annotated[int, typer.Option(min=1, help="With --ray: cores per actor")] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="With --ray: GPUs per actor")] = 0,
    files_per_part: Annotated[int, typer.Option(min=1, help="Files per Parquet file")] = 256,
    embeddings: Annotated[bool, typer.Option(help="Add identity embeddings")] = False,
    fps: Fps = None,
    min_score: MinScore = None,
    min_face: MinFace = None,
    orientation: Turns = None,
    min_quality: MinQuality = None,
) -> None:
    """Analyze a library of images and videos to Parquet; a second run continues the first."""
    require_objects()
    if ray is not None:
        require_ray()
    elif (cpus, gpus) != (1, 0):
        raise typer.BadParameter("--cpus and --gpus need --ray; EMOTIONS_WORKERS sets the workers")
    from offline.bulk.bulk import bulk as run_bulk  # noqa: PLC0415  (needs an extra)
    from offline.bulk.types import BulkJob  # noqa: PLC0415

    settings = settings_with(
        min_score=min_score, min_face=min_face, orientation=orientation, min_quality=min_quality
    )
    configure(settings)
    job = BulkJob(settings, source, target, embeddings, fps)
    try:
        failed = run_bulk(job, _runner(ray, cpus, gpus), console, files_per_part)
    except KeyboardInterrupt:
        print_line("emotions: stopped; the same command continues")
        raise typer.Exit(INTERRUPTED) from None
    if failed:
        print_line(f"emotions: {failed} of the files could not be analyzed, or not completely")
        print_line("emotions: images/ has the reasons; the same command continues unwritten parts")
        raise typer.Exit(1)


def _runner(address: str | None, cpus: int, gpus: float) -> "Run":
    if address is None:
        from offline.bulk.local import run_local  # noqa: PLC0415  (the other needs Ray)

        return run_local
    from offline.bulk.on_ray import Cluster, run_on_ray  # noqa: PLC0415

    return run_on_ray(Cluster(address, cpus, gpus))
