"""`emotions export`."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from analysis.evaluation import fer2013
from engines.classifiers.adapt import Pixels
from engines.classifiers.export import export as export_classifier
from engines.disk import atomic_write
from engines.network import export as export_network
from offline.cli.console import print_line
from offline.cli.options import EngineName, settings_with
from offline.cli.own_model import build_own
from offline.own_model import OwnModel
from service.settings import Settings

EMOTION = "emotion"
BROUGHT = "that of the model you brought"


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
    engine: EngineName = None,
) -> None:
    """Write a network with its weights as ONNX, or make the service able to use a classifier."""
    if out.resolve() == weights_file.resolve():
        raise typer.BadParameter("--out must be another file than --weights")
    if network == EMOTION:
        settings = settings_with(engine=engine)
        _export_classifier(weights_file, out, _labels(labels), _pixels(mean, scale), settings)
        return
    options: dict[str, Any] = {"raw": True} if raw else {}
    if size is not None:
        options["size"] = _size(size)
    model = export_network(network, weights_file, options)
    with atomic_write(out) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    print_line(f"{out}: {network}, {_mebibytes(out)}")


def _export_classifier(
    weights: Path, out: Path, labels: tuple[str, ...], pixels: Pixels, settings: Settings
) -> None:
    model = OwnModel.of(out, settings)
    difference = export_classifier(weights, out, labels, pixels)
    print_line(f"{out}: differs from {weights.name} by at most {difference:.1e}, {_mebibytes(out)}")
    model.add(labels, f"classifier {weights.name}", BROUGHT)
    build_own(model, settings)


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
