"""Kinds of GPUs. A process uses one GPU, so a command that builds plans runs once per kind."""

import os
import sys
from collections.abc import Sequence

from engines.gpus import Gpu, one_per_kind, only, restrict
from engines.select import choose
from offline.cli.console import print_line
from service.settings import Settings


def take_first(settings: Settings) -> Sequence[Gpu]:
    """Restrict this process to one GPU of the first kind; return one GPU of each other kind.

    Raises:
        EngineError: the engine cannot be loaded.
    """
    gpus = one_per_kind(choose(settings.engine, settings.compute_capability).engine.gpus())
    if not gpus:
        return gpus
    first, *others = gpus
    print_line(f"GPU: {first.name}, compute capability {first.capability}")
    restrict(first)
    return others


def run_again(gpus: Sequence[Gpu]) -> None:
    """Run the same command again for these GPUs, if there are any.

    It replaces this process, so that signals and the exit status stay those of one command.
    """
    if not gpus:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], only(*gpus))  # noqa: S606
