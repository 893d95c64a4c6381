"""Kinds of GPUs. A process uses one GPU, so a command that builds plans runs once per kind."""

import os
import sys
from typing import NamedTuple

from engines.gpus import Gpu, one_per_kind, only, restrict
from engines.select import choose
from offline.cli.console import print_line
from service.settings import Settings


class Others(NamedTuple):
    """One GPU of each kind that remains, and the `origin` of the engine for all of them."""

    gpus: list[Gpu]
    engine: str


def take_first(settings: Settings) -> Others:
    """Restrict this process to one GPU of the first kind; return the others.

    Raises:
        EngineError: the engine cannot be loaded.
    """
    engine = choose(settings.engine, settings.compute_capability).engine
    gpus = one_per_kind(engine.gpus())
    if not gpus:
        return Others([], engine.origin)
    first, *others = gpus
    print_line(f"GPU: {first.name}, compute capability {first.capability}")
    restrict(first)
    return Others(others, engine.origin)


def run_again(others: Others) -> None:
    """Run the same command again for these GPUs, if there are any.

    `auto` might choose another engine there, but the service uses one engine for all kinds. The
    command replaces this process, so that signals and the exit status stay those of one command.
    """
    if not others.gpus:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, *sys.orig_argv[1:], "--engine", others.engine]
    os.execve(sys.executable, command, only(*others.gpus))  # noqa: S606
