"""`emotions build` and `emotions verify`."""

from pathlib import Path
from typing import Annotated

import typer

from offline.cli.console import console
from offline.cli.gpu_kinds import run_again, take_first
from offline.cli.options import Capability, EngineName, Names, PrecisionName, settings_with
from offline.plans import build_plans, verify_plans


def build(
    names: Names = None,
    *,
    engine: EngineName = None,
    precision: PrecisionName = None,
    compute_capability: Capability = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Folder of images to calibrate int8 with")
    ] = None,
    force: Annotated[bool, typer.Option(help="Build plans that exist again")] = False,
) -> None:
    """Build and verify the plans of models for this machine and each kind of GPU in it."""
    settings = settings_with(
        engine=engine, precision=precision, compute_capability=compute_capability
    )
    others = take_first(settings)
    build_plans(
        names or [],
        settings,
        console,
        force=force or calibration is not None,
        faces=calibration,
    )
    run_again(others)


def verify(
    names: Names = None,
    engine: EngineName = None,
    precision: PrecisionName = None,
    compute_capability: Capability = None,
) -> None:
    """Compare built plans with the reference on real faces; print the differences."""
    settings = settings_with(
        engine=engine, precision=precision, compute_capability=compute_capability
    )
    others = take_first(settings)
    for spec, sidecar in verify_plans(names or [], settings):
        key = sidecar.fingerprint
        for figure, value in (sidecar.parity or {}).items():
            typer.echo(f"{spec.name:28} {key.engine:14} {key.precision:6} {figure:10} {value:.6g}")
    run_again(others)
