"""The command line: ``python -m training.emotion start | train | refine | join …``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from training.emotion.recipe import add_options, from_options, parse_view
from training.errors import option, told

DATA = {"frames": "folder of the zip archives"}
OUT = {"frames": "file.npz", "start": "file.npz", "export": "file.onnx"}
LICENCE = "trained on FER-2013, whose images are for research"


def main() -> None:
    """Parse the command line and run what it names."""
    parser = argparse.ArgumentParser(prog="python -m training.emotion", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    runs = {
        "frames": _frames,
        "start": _start,
        "train": _train,
        "refine": _refine,
        "join": _join,
        "evaluate": _evaluate,
        "export": _export,
    }
    for name, run in runs.items():
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        if name == "frames":  # which no framework of networks takes part in
            command.set_defaults(threads=0)
        else:
            command.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for all")
        if name not in {"start", "refine"}:
            command.add_argument(
                "--data", type=Path, required=True, help=DATA.get(name, ".npz, .csv or folder")
            )
        if name in {"refine", "join", "evaluate", "export"}:
            command.add_argument("run_folder", type=Path, metavar="RUN")
        if name != "evaluate":
            what = OUT.get(name, "folder of the run")
            command.add_argument("--out", type=Path, required=True, help=what)
        if name in {"evaluate", "export"}:
            command.add_argument("--weights", choices=("best", "last", "raw"), default="best")
    add_options(commands.choices["start"])
    add_options(commands.choices["train"])
    commands.choices["join"].add_argument("second", type=Path, metavar="RUN")
    commands.choices["join"].add_argument(
        "--views",
        type=option(parse_view),
        nargs="+",
        default=(),
        help="one a network: plain mirrored,up=2",
    )
    commands.choices["evaluate"].add_argument("--split", default="public")
    options = parser.parse_args()
    _limit_threads(options.threads)
    with told(parser):
        options.run(options)


def _frames(options: argparse.Namespace) -> None:
    from training.emotion.frames import cut_frames  # noqa: PLC0415 - needs no Keras

    print(f"{cut_frames(options.data, options.out)} faces")


def _start(options: argparse.Namespace) -> None:
    import numpy as np  # noqa: PLC0415

    from training.emotion.networks import build  # noqa: PLC0415

    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(options.out, *build(from_options(options)).get_weights())


def _train(options: argparse.Namespace) -> None:
    recipe = from_options(options)
    if recipe.device:
        from training.emotion.device.train import train  # noqa: PLC0415 - needs no Keras
    else:
        from training.emotion.train import train  # noqa: PLC0415 - threads are set before Keras
    print(f"best accuracy {train(recipe, options.data, options.out):.4f}")


def _refine(options: argparse.Namespace) -> None:
    from training.emotion.refine import refine  # noqa: PLC0415

    refine(options.run_folder, options.out)


def _join(options: argparse.Namespace) -> None:
    from analysis.evaluation.fer2013 import read_split  # noqa: PLC0415
    from training.emotion.join import join  # noqa: PLC0415

    split = read_split(options.data, "train")
    join(options.run_folder, options.second, options.out, split, options.views)


def _evaluate(options: argparse.Namespace) -> None:
    from training.emotion.evaluate import evaluate  # noqa: PLC0415

    result = evaluate(options.run_folder, options.data, options.split, options.weights)
    print(json.dumps(result, indent=2))


def _export(options: argparse.Namespace) -> None:
    from analysis.evaluation.fer2013 import read_split  # noqa: PLC0415
    from training.emotion.checkpoint import load_shifted, save_weights  # noqa: PLC0415
    from training.emotion.evaluate import evaluate  # noqa: PLC0415
    from training.emotion.export import export  # noqa: PLC0415

    split = read_split(options.data, "train")
    model = load_shifted(options.run_folder, options.weights, split)
    # Beside the others, because `evaluate` reads a run's weights by name.
    save_weights(model, options.run_folder / "shifted.weights.h5")
    measured = evaluate(options.run_folder, options.data, "public", "shifted")
    about = {"accuracy_public_test": f"{measured['accuracy']:.4f}", "licence": LICENCE}
    difference = export(model, options.out, measured["temperature"], about)
    print(json.dumps(measured, indent=2))
    print(f"{options.out}: equal to Keras to {difference:.1e}")


def _limit_threads(threads: int) -> None:
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
