"""`python -m bench.hosts`: images per second of hosts with NVIDIA GPUs, by calculation.

`--measure FILE` measures the CPU costs and writes them; `--measured FILE` reads them. Rates of
GPUs are published ones, see `bench.hosts.machines`. Prints Markdown tables. No GPU is needed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.fakes.device import Cost
from bench.hosts import costs
from bench.hosts.machines import GPUS, HOSTS, T4, Host
from bench.hosts.measure import Procedure, measure
from bench.hosts.model import Assumptions
from bench.hosts.report import report


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, if that is requested, and print."""
    given = _parsed(arguments)
    if given.measure:
        costs.save(measure(Procedure(given.seconds, given.rounds, given.clients)), given.measure)
    measured = costs.load(given.measure or given.measured)
    assumptions = Assumptions(
        core_speed=given.core_speed,
        http_processes=given.http_processes,
        images_per_batch=given.images_per_batch,
        cuda_ms=given.cuda_ms,
        share=measured.share if given.share is None else given.share,
        gpu_ms=Cost(given.gpu_batch_ms, given.gpu_row_ms),
        known=given.gpu_resnet50,
    )
    hosts = [host for host in HOSTS if not given.host or host.name in given.host]
    for line in report([*hosts, *given.own], measured, assumptions):
        print(line, flush=True)


def own(text: str) -> Host:
    """Parse "NAME,VCPUS,GPUS,GPU"."""
    name, cores, gpus, gpu = text.split(",")
    return Host(name, int(cores), int(gpus), GPUS[gpu])


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    usual = Assumptions()
    parser = argparse.ArgumentParser(prog="python -m bench.hosts", description=__doc__)
    parser.add_argument("--host", action="append", default=[], help="only this one")
    form = f"a host of your own: NAME,VCPUS,GPUS,GPU, where GPU is one of {', '.join(GPUS)}"
    parser.add_argument("--own", action="append", default=[], type=own, help=form)
    parser.add_argument("--measured", type=Path, default=costs.MEASURED, help="CPU costs")
    parser.add_argument("--measure", type=Path, metavar="FILE", help="measure the CPU costs first")
    parser.add_argument("--seconds", type=float, default=3, help="per load of --measure")
    parser.add_argument("--rounds", type=int, default=5, help="of --measure")
    parser.add_argument("--clients", type=int, default=64, help="of --measure")
    speed = "speed of a vCPU, relative to a core of the measured machine"
    parser.add_argument("--core-speed", type=float, default=usual.core_speed, help=speed)
    processes = "EMOTIONS_HTTP_PROCESSES; 0: as many as needed"
    parser.add_argument("--http-processes", type=int, default=0, help=processes)
    parser.add_argument("--images-per-batch", type=int, default=usual.images_per_batch)
    cuda = "CPU ms per batch for copies to the GPU and graphs"
    parser.add_argument("--cuda-ms", type=float, default=usual.cuda_ms, help=cuda)
    share = "of the GPU's rate that the service reaches; default: as measured"
    parser.add_argument("--share", type=float, help=share)
    known = "of the known GPU: ms per batch of the detector, "
    parser.add_argument("--gpu-batch-ms", type=float, default=usual.gpu_ms.batch_ms, help=known)
    per_row = f"{known}ms per image of it, "
    parser.add_argument("--gpu-row-ms", type=float, default=usual.gpu_ms.row_ms, help=per_row)
    resnet = "and its images/s of ResNet-50 in MLPerf"
    parser.add_argument("--gpu-resnet50", type=float, default=T4.resnet50, help=resnet)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
