"""`python -m bench.gpu --out FILE`: what the engines of this machine do, as Markdown tables.

Builds and verifies every plan that can run here, and prints the reason for the others. Measures
each network by batch size, the whole pipeline, and JPEG decoding. Also runs without a GPU.
"""

import argparse
from pathlib import Path

from bench.gpu.report import Measurement, report
from bench.inputs.scenes import SIZES
from engines.select import ENGINES
from service.settings import Settings

PRECISIONS = ("fp32", "fp16", "int8")


def main() -> None:
    """Measure and print; with `--out`, write to a file as well."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--precision", action="append", choices=PRECISIONS)
    parser.add_argument("--model", action="append", help="by default those in use")
    parser.add_argument("--seconds", type=float, default=2, help="per figure")
    parser.add_argument("--most", type=int, default=512, help="largest batch")
    parser.add_argument("--clients", type=int, default=64, help="of the whole pipeline")
    parser.add_argument("--scene", action="append", choices=SIZES, help="to decode")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    plan = Measurement(
        engines=options.engine or list(ENGINES),
        precisions=options.precision or list(PRECISIONS),
        models=options.model or [],
        seconds=options.seconds,
        most=options.most,
        clients=options.clients,
        scenes=options.scene or list(SIZES),
    )
    lines: list[str] = []
    for line in report(plan, Settings()):
        print(line, flush=True)
        lines.append(line)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
