"""`python -m bench.bulk`: `emotions bulk` on this machine and on Ray, beside `emotions predict`.

Each command runs as a user starts it, in turns, once for a library of one photograph per core and
once for all. The first is its start; the rate is that of the further photographs. Prints Markdown
tables.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image

from bench.inputs.scenes import scene
from bench.measure.output import header, machine, row
from engines import cpu
from offline.video.writing import open_video

PHOTOGRAPHS = ("1920x1080, 1 face", "1920x1080, 5 faces", "640x480, 1 face", "4000x3000, 5 faces")
FILM, FILM_FPS = "1920x1080, 1 face", 25
EMOTIONS = (sys.executable, "-m", "offline.cli")
# Beside `predict`; Ray starts an actor per core.
BULK = {"bulk": (), "bulk --ray local": ("--ray", "local")}
PREDICT = "predict"
# Ray has an actor per core, each of which must have a part to start with.
ACTORS = cpu.available()


class Library(NamedTuple):
    """A folder of files to analyze, and one with a short start of them; how many items more."""

    all: Path
    start: Path
    more: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parsed(arguments)
    print(f"{machine()}; medians of {options.rounds} round(s) in turns.\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _show("photographs", options.rounds, _photographs(folder / "images", options.files))
        print(flush=True)
        _show(
            "frames",
            options.rounds,
            _films(folder / "films", options.seconds, options.fps),
            options.fps,
        )


def _photographs(folder: Path, count: int) -> Library:
    library = Library(folder / "all", folder / "few", count - ACTORS)
    for number in range(count):
        _write(library.all / f"{number:04d}.jpg", scene(PHOTOGRAPHS[number % len(PHOTOGRAPHS)]))
    for number in range(ACTORS):
        _write(library.start / f"{number}.jpg", scene(PHOTOGRAPHS[0]))
    return library


def _films(folder: Path, seconds: int, fps: float) -> Library:
    """Two films, so that two actors have one each."""
    for place, duration in (("all", seconds), ("few", 1)):
        for number in range(ACTORS):
            _film(folder / place / f"{number}.mp4", duration)
    return Library(folder / "all", folder / "few", round(ACTORS * (seconds - 1) * fps))


def _film(path: Path, seconds: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.asarray(Image.open(io.BytesIO(scene(FILM))).convert("RGB"))
    with open_video(path) as film:
        for number in range(seconds * FILM_FPS):
            film.write(np.roll(image, 2 * number, axis=1), number / FILM_FPS)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _show(noun: str, rounds: int, library: Library, fps: float | None = None) -> None:
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for name, run in _commands(fps).items():
            start = run(library.start, 1)
            rate = library.more / (run(library.all, 256) - start)
            found.setdefault(name, []).append((start, rate))
    first = [rate for _, rate in found[PREDICT if PREDICT in found else "bulk"]]
    print(header(f"command | start, s | {noun}/s | ratio"))
    for name, figures in found.items():
        ratio = median(rate / other for (_, rate), other in zip(figures, first, strict=True))
        start, rate = (median(values) for values in zip(*figures, strict=True))
        print(row(f"`{name}`", f"{start:.1f}", f"{rate:.1f}", f"{ratio:.2f}"), flush=True)


def _commands(fps: float | None) -> dict[str, Callable[[Path, int], float]]:
    """Return functions that run a command, given a folder and files per part, and time it."""
    extra = ("--fps", str(fps)) if fps else ()
    commands = {name: _bulk((*more, *extra)) for name, more in BULK.items()}
    if not fps:  # for a film, `predict` also encodes an annotated copy
        return {PREDICT: lambda folder, _: _seconds("predict", folder), **commands}
    return commands


def _bulk(options: Sequence[str]) -> Callable[[Path, int], float]:
    def run(folder: Path, size: int) -> float:
        with tempfile.TemporaryDirectory() as target:
            return _seconds("bulk", folder, target, "--files-per-part", str(size), *options)

    return run


def _seconds(*arguments: str | Path) -> float:
    begin = time.perf_counter()
    with Path(os.devnull).open("wb") as nowhere:
        subprocess.run([*EMOTIONS, *arguments], stdout=nowhere, stderr=nowhere, check=True)  # noqa: S603
    return time.perf_counter() - begin


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.bulk", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--files",
        type=int,
        default=1024,
        help="photographs, a multiple of 512: two actors get as many parts of 256",
    )
    parser.add_argument("--seconds", type=int, default=40, help="duration of each of two films")
    parser.add_argument("--fps", type=float, default=5, help="frames per second to analyze of them")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
