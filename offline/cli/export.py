"""`emotions export`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from analysis.evaluation import fer2013
from engines import catalog_writer, plan
from engines.build import export as export_network
from engines.keras.export import Pixels
from engines.keras.export import export as export_keras
from offline.cli.console import tell, told

EMOTION = "emotion"


@told
def export(
    network: Annotated[
        str, typer.Argument(help="Network, as in `emotions models list`, or emotion for Keras")
    ],
    weights_file: Annotated[
        Path, typer.Option("--weights", help=".wts, .pth or .onnx file; .keras or .h5 of Keras")
    ],
    out: Annotated[Path, typer.Option(help="The ONNX file to write")],
    *,
    raw: Annotated[bool, typer.Option(help="The bare network, as upstream has it")] = False,
    size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH of a detector's input")] = None,
    labels: Annotated[str, typer.Option(help="Classes of a Keras model, in its order")] = ",".join(
        fer2013.LABELS
    ),
    mean: Annotated[
        str, typer.Option(help="A Keras model sees (pixel - MEAN) / SCALE; one number a channel")
    ] = "0",
    scale: Annotated[float, typer.Option(help="See --mean; 1 leaves 0 to 255 as it is")] = 255.0,
    catalog: Annotated[
        Path | None, typer.Option(help="Catalog file to add a Keras model to, else it is printed")
    ] = None,
) -> None:
    """Write a network with its weights as ONNX, or make a Keras model the emotion engine."""
    if network == EMOTION:
        _export_keras(weights_file, out, _words(labels), _pixels(mean, scale), catalog)
        return
    options: dict[str, Any] = {"raw": True} if raw else {}
    if size is not None:
        options["size"] = _size(size)
    model = export_network(network, weights_file, options)
    with plan.staged(out) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    tell(f"{out}: {network}, {out.stat().st_size / 2**20:.1f} MiB")


def _export_keras(
    weights: Path, out: Path, labels: tuple[str, ...], pixels: Pixels, catalog: Path | None
) -> None:
    if catalog is not None:
        catalog_writer.check_free(catalog, out.stem)
    difference = export_keras(weights, out, labels, pixels)
    tell(f"{out}: equal to Keras to {difference:.1e}, {out.stat().st_size / 2**20:.1f} MiB")
    entry = catalog_writer.emotion(out, labels, weights.name, catalog)
    if catalog is None:
        tell("an entry for a catalog file of yours:")
        typer.echo(entry)
    else:
        catalog_writer.append(catalog, entry)
    tell(
        f"now set EMOTIONS_CATALOG={catalog or 'FILE'} and EMOTIONS_EMOTION={out.stem}, "
        f"run `emotions build {out.stem}`, and serve"
    )


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if not all(words) or len(set(words)) != len(words):
        raise typer.BadParameter("give each label once, for instance --labels happy,neutral,sad")
    return words


def _pixels(mean: str, scale: float) -> Pixels:
    try:
        means = tuple(float(part) for part in mean.split(","))
    except ValueError as error:
        raise typer.BadParameter("give --mean as numbers, for instance 104,117,123") from error
    if not scale:
        raise typer.BadParameter("--scale must not be 0")
    return Pixels(means, scale)


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise typer.BadParameter("give it as HEIGHTxWIDTH, for instance 480x640") from error
    return height, width
