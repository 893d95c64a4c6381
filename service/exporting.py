"""`emotions export`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from engines import plan
from engines.build import export as export_network
from service.console import tell, told


@told
def export(
    network: Annotated[str, typer.Argument(help="Network, as in `emotions models list`")],
    weights_file: Annotated[Path, typer.Option("--weights", help=".wts, .pth or .onnx file")],
    out: Annotated[Path, typer.Option(help="The ONNX file to write")],
    raw: Annotated[bool, typer.Option(help="The bare network, as upstream has it")] = False,
    size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH of a detector's input")] = None,
) -> None:
    """Write a network with its weights as ONNX."""
    options: dict[str, Any] = {"raw": True} if raw else {}
    if size is not None:
        options["size"] = _size(size)
    model = export_network(network, weights_file, options)
    with plan.staged(out) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    tell(f"{out}: {network}, {out.stat().st_size / 2**20:.1f} MiB")


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise typer.BadParameter("give it as HEIGHTxWIDTH, for instance 480x640") from error
    return height, width
