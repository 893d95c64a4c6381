"""The command line: ``python -m training.emotion reproduce | train | refine | join | …``."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from training.emotion.recipe import add_options, from_options, parse_view
from training.emotion.reproduce import STEPS, Reproduction
from training.errors import option, reported

LICENCE = "trained on FER-2013, whose images are for research"
FER = "FER-2013: .npz, .csv or folder"
RUN = "folder of the run"

# Functions import Keras late: threads must be set before, and two commands do without it.


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the command."""
    commands = parser()
    options = commands.parse_args(arguments)
    with reported(commands):
        options.run(options)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    whole = argparse.ArgumentParser(prog="python -m training.emotion", description=__doc__)
    commands = whole.add_subparsers(required=True)
    for add in (_add_reproduce, _add_train, _add_refine, _add_join, _add_evaluate, _add_export):
        add(commands.add_parser(add.__name__.removeprefix("_add_")))
    _add_frames(commands.add_parser("frames"))
    return whole


def _add_reproduce(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_reproduce)
    add = command.add_argument
    add("--data", type=Path, required=True, help=FER + ", with FER+ votes")
    add("--start", type=Path, required=True, help="MobileFaceNet for face recognition, .wts")
    add("--out", type=Path, required=True, help="folder of all runs")
    add("--minutes-scale", type=float, default=1.0, help="factor of all training times")
    add("--threads", type=int, default=1, help="CPU threads, 0 for all")
    add("--dry-run", action="store_true", help="print the commands only")


def _reproduce(options: argparse.Namespace) -> None:
    places = options.data, options.start, options.out
    reproduction = Reproduction(*places, options.minutes_scale, options.threads)
    if not options.dry_run:
        reproduction.run()
        return
    for step in STEPS:
        print(shlex.join(["python", "-m", "training.emotion", *reproduction.arguments(step)]))


def _add_frames(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_frames)
    command.add_argument("--data", type=Path, required=True, help="folder of the zip archives")
    command.add_argument("--out", type=Path, required=True, help="file.npz")


def _frames(options: argparse.Namespace) -> None:
    from training.emotion.frames import cut_frames  # noqa: PLC0415

    print(f"{cut_frames(options.data, options.out)} faces")


def _add_train(command: argparse.ArgumentParser) -> None:
    _add_common(command, _train)
    command.add_argument("--data", type=Path, required=True, help=FER)
    command.add_argument("--out", type=Path, required=True, help=RUN)
    add_options(command)


def _train(options: argparse.Namespace) -> None:
    _limit_threads(options.threads)
    from training.emotion.train import train  # noqa: PLC0415

    print(f"best accuracy {train(from_options(options), options.data, options.out):.4f}")


def _add_refine(command: argparse.ArgumentParser) -> None:
    _add_common(command, _refine)
    command.add_argument("run_folder", type=Path, metavar="RUN")
    command.add_argument("--out", type=Path, required=True, help=RUN)


def _refine(options: argparse.Namespace) -> None:
    _limit_threads(options.threads)
    from training.emotion.refine import refine  # noqa: PLC0415

    refine(options.run_folder, options.out)


def _add_join(command: argparse.ArgumentParser) -> None:
    _add_common(command, _join)
    add = command.add_argument
    add("run_folders", type=Path, nargs="+", metavar="RUN")
    add("--data", type=Path, required=True, help=FER)
    add("--out", type=Path, required=True, help=RUN)
    view = option(parse_view)
    add("--views", type=view, nargs="+", default=(), help="one per network: plain mirrored,up=2")


def _join(options: argparse.Namespace) -> None:
    _limit_threads(options.threads)
    from analysis.evaluation.fer2013 import read_split  # noqa: PLC0415
    from training.emotion.join import join  # noqa: PLC0415

    join(options.run_folders, options.out, read_split(options.data, "train"), options.views)


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    _add_common(command, _evaluate)
    _add_weights(command)
    command.add_argument("--split", default="public")


def _evaluate(options: argparse.Namespace) -> None:
    _limit_threads(options.threads)
    from training.emotion.evaluate import evaluate  # noqa: PLC0415

    result = evaluate(options.run_folder, options.data, options.split, options.weights)
    print(json.dumps(result, indent=2))


def _add_export(command: argparse.ArgumentParser) -> None:
    _add_common(command, _export)
    _add_weights(command)
    command.add_argument("--out", type=Path, required=True, help="file.onnx")


def _export(options: argparse.Namespace) -> None:
    _limit_threads(options.threads)
    from analysis.evaluation.fer2013 import read_split  # noqa: PLC0415
    from training.emotion.checkpoint import load_shifted, save_weights  # noqa: PLC0415
    from training.emotion.evaluate import evaluate  # noqa: PLC0415
    from training.emotion.export import export  # noqa: PLC0415

    split = read_split(options.data, "train")
    model = load_shifted(options.run_folder, options.weights, split)
    # `evaluate` reads the weights of a run by name, so the shifted ones go beside the others.
    save_weights(model, options.run_folder / "shifted.weights.h5")
    measured = evaluate(options.run_folder, options.data, "public", "shifted")
    about = {"accuracy_public_test": f"{measured['accuracy']:.4f}", "licence": LICENCE}
    difference = export(model, options.out, measured["temperature"], about)
    print(json.dumps(measured, indent=2))
    print(f"{options.out}: equal to Keras to {difference:.1e}")


def _add_common(
    command: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]
) -> None:
    command.set_defaults(run=run)
    command.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for all")


def _add_weights(command: argparse.ArgumentParser) -> None:
    command.add_argument("run_folder", type=Path, metavar="RUN")
    command.add_argument("--data", type=Path, required=True, help=FER)
    command.add_argument("--weights", choices=("best", "last", "raw"), default="best")


def _limit_threads(threads: int) -> None:
    """Limit the threads of Keras' backend; TensorFlow accepts this only before its first use."""
    if not threads:
        return
    import keras  # noqa: PLC0415

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    else:
        import torch  # noqa: PLC0415

        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
