"""`python -m bench.scaling`: the autoscaling rule under a load that changes in steps.

With `--update`, all pods are replaced under load instead.
"""

import argparse
import sys
from collections.abc import Sequence

from bench.inputs.corpus import images
from bench.load.client import request, run
from bench.measure.output import header, machine, row
from bench.scaling import step, steps, update
from bench.scaling.manifest import read, scaled_object

CALLS = [request(images()["PNG"], {"content-type": "image/png"})]


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, and print a table; fail if the rule or the update does not keep its promise."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--loads", type=float, nargs="+", default=[0.5, 2.5, 0.5])
    parser.add_argument("--seconds", type=float, default=40, help="per step")
    parser.add_argument("--factor", type=float, default=15, help="all times are divided by it")
    parser.add_argument("--image-ms", type=float, default=50, help="time of an image in a worker")
    parser.add_argument("--timeline", action="store_true", help="print every decision, too")
    parser.add_argument("--update", action="store_true", help="replace all pods under load")
    parser.add_argument("--rounds", type=int, default=1, help="updates of each kind")
    options = parser.parse_args(arguments)
    print(f"{machine()}; a pod has one worker, which sleeps {options.image_ms:g} ms per image.\n")
    return _update(options) if options.update else _steps(options)


def _steps(options: argparse.Namespace) -> int:
    manifest = read(scaled_object(), options.factor)
    plan = steps.Plan(options.loads, options.seconds, options.factor, options.image_ms)
    trial = run(steps.measure(manifest, plan, CALLS))
    if options.timeline:
        _print_timeline(trial.steps)
    print("\n".join([step.HEAD, *(each.row(plan.second_scrape_s) for each in trial.steps)]))
    late = sum(each.rejected(plan.second_scrape_s) for each in trial.steps)
    flaps = sum(each.flaps for each in trial.steps)
    print(
        f"\nA pod answers {trial.capacity:.1f} images/s. The times of the rule are divided by "
        f"{plan.factor:g}: a scrape and a decision every {steps.SCRAPE_S / plan.factor:g} s, and "
        f"deadlines of {steps.DEADLINE_S / plan.factor:g} s.\n503 after the second scrape of a "
        f"step: {late}. Flaps: {flaps}. Pods that failed: {len(trial.errors)}."
    )
    return int(bool(late or flaps or trial.errors))


def _print_timeline(found: Sequence[step.Step]) -> None:
    moments = [moment for each in found for moment in each.moments]
    names = sorted({name for moment in moments for name in moment.values})
    print(header(" | ".join(["seconds", "wanted", "ready", *names])))
    for moment in moments:
        values = [f"{moment.values.get(name, float('nan')):.2f}" for name in names]
        print(row(f"{moment.at - moments[0].at:.0f}", moment.wanted, moment.ready, *values))
    print()


def _update(options: argparse.Namespace) -> int:
    print(update.HEAD)
    failed = False
    for variant in update.VARIANTS:
        found = [
            run(update.measure(variant, options.image_ms, CALLS)) for _ in range(options.rounds)
        ]
        print(update.row_of(variant, found), flush=True)
        failed |= variant.safe and any(each.failed for each in found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
