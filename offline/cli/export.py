"""`emotions export`."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from analysis.evaluation import fer2013
from engines import catalog_writer
from engines.classifiers.adapt import Pixels
from engines.classifiers.export import export as export_classifier
from engines.disk import atomic_write
from engines.network import export as export_network
from offline.cli.console import print_line

EMOTION = "emotion"


def export(
    network: Annotated[
        str,
        typer.Argument(
            help="Network, as in `emotions models list`, or `emotion` for a classifier of yours"
        ),
    ],
    weights_file: Annotated[
        Path,
        typer.Option("--weights", help=".wts, .pth or .onnx file; ONNX or Keras"),
    ],
    out: Annotated[Path, typer.Option(help="The ONNX file to write")],
    *,
    raw: Annotated[
        bool, typer.Option(help="The network alone, without the steps before and after it")
    ] = False,
    size: Annotated[str | None, typer.Option(help="Input size of a detector, HEIGHTxWIDTH")] = None,
    labels: Annotated[
        str, typer.Option(help="Classes of a classifier, in the order of its outputs")
    ] = ",".join(fer2013.LABELS),
    mean: Annotated[
        str,
        typer.Option(
            help="The input of a classifier is (pixel - MEAN) / SCALE, pixels from 0 to 255; one "
            "number, or one per channel"
        ),
    ] = "0",
    scale: Annotated[str, typer.Option(help="See --mean; 1 keeps 0 to 255")] = "255",
    catalog: Annotated[
        Path | None,
        typer.Option(help="Catalog file to add the classifier to; by default print the entry"),
    ] = None,
) -> None:
    """Write a network with its weights as ONNX, or make a classifier the emotion network."""
    if out.resolve() == weights_file.resolve():
        raise typer.BadParameter("--out must be another file than --weights")
    if network == EMOTION:
        _export_classifier(weights_file, out, _labels(labels), _pixels(mean, scale), catalog)
        return
    options: dict[str, Any] = {"raw": True} if raw else {}
    if size is not None:
        options["size"] = _size(size)
    model = export_network(network, weights_file, options)
    with atomic_write(out) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    print_line(f"{out}: {network}, {_mebibytes(out)}")


def _export_classifier(
    weights: Path, out: Path, labels: tuple[str, ...], pixels: Pixels, catalog: Path | None
) -> None:
    if catalog is not None:
        catalog_writer.check_free(catalog, out.stem)
    difference = export_classifier(weights, out, labels, pixels)
    print_line(f"{out}: differs from {weights.name} by at most {difference:.1e}, {_mebibytes(out)}")
    entry = catalog_writer.emotion(out, labels, f"classifier {weights.name}", catalog)
    if catalog is None:
        print_line("entry for your catalog file:")
        typer.echo(entry)
    else:
        catalog_writer.append(catalog, entry)
    print_line(
        f"now set EMOTIONS_CATALOG={catalog or 'FILE'} and EMOTIONS_EMOTION={out.stem}, "
        f"run `emotions build {out.stem}`, then `emotions serve`"
    )


def _mebibytes(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.1f} MiB"


def _labels(text: str) -> tuple[str, ...]:
    labels = tuple(label.strip() for label in text.split(","))
    if not all(labels) or len(set(labels)) != len(labels):
        raise typer.BadParameter("give each label once, for instance --labels happy,neutral,sad")
    return labels


def _pixels(mean: str, scale: str) -> Pixels:
    pixels = Pixels(_numbers(mean, "--mean"), _numbers(scale, "--scale"))
    if not all(pixels.scale):
        raise typer.BadParameter("--scale must not be 0")
    return pixels


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise typer.BadParameter(f"give {option} as numbers, for instance 104,117,123")
    return numbers


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise typer.BadParameter("give --size as HEIGHTxWIDTH, for instance 480x640") from error
    return height, width
