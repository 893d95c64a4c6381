"""The stages of a GPU day, in their order. Each can run alone once its plans are built."""

from functools import partial

from bench.gpu.day import PRECISIONS, Stage
from bench.gpu.decoding import decoding
from bench.gpu.faults import faults
from bench.gpu.inventory import inventory
from bench.gpu.jpegs import jpegs
from bench.gpu.load import load
from bench.gpu.memory import memory
from bench.gpu.networks import networks
from bench.gpu.pipeline import pipeline
from bench.gpu.plans import plans
from bench.gpu.several import several

_STAGES = (
    Stage(
        "inventory",
        "GPUs, driver, libraries, and the engines that run here",
        inventory,
        "nvidia-smi; the driver (580 or newer); `pip list`; docs/tensorrt.md",
    ),
    *(
        Stage(
            f"plans-{precision}",
            f"build every plan in {precision} and compare it with the reference",
            partial(plans, precision=precision),
            "run the stage again: plans that are built are kept. If a parity is outside its "
            "limits: engines/limits.py, and `emotions verify`",
        )
        for precision in PRECISIONS
    ),
    *(
        Stage(
            f"networks-{precision}",
            f"each network in {precision} by batch size, with and without CUDA graphs and streams",
            partial(networks, precision=precision),
            "warnings of a capture that failed; nvidia-smi for clocks, temperature and other "
            "processes",
        )
        for precision in PRECISIONS
    ),
    Stage(
        "decoding",
        "JPEGs on the GPU and on one core: rates, and how far the pixels differ",
        decoding,
        "docs/tensorrt.md on nvImageCodec; `pip list`; nvidia-smi: does the GPU have an engine for "
        "JPEG?",
    ),
    Stage(
        "pipeline",
        "images per second of the pipeline, without HTTP",
        pipeline,
        "analysis/workers/device.py; docs/operations.md",
    ),
    Stage(
        "load",
        "the real service under load",
        load,
        "docs/operations.md; `top`: which process is at 100 %",
    ),
    Stage(
        "jpegs",
        "the service with decoding on the GPU, also with damaged files",
        jpegs,
        "which file: bench/load/mix.py; the same requests with EMOTIONS_JPEG_DECODER=cpu",
    ),
    Stage(
        "memory",
        "GPU memory: what the networks take, two services on one GPU, budgets that are too small",
        memory,
        "nvidia-smi: other processes; EMOTIONS_GPU_MEMORY_BYTES; engines/memory.py",
    ),
    Stage(
        "faults",
        "kill the device process and a worker under load",
        faults,
        "analysis/workers/pool.py, `Pool.lost`",
    ),
    Stage(
        "gpus",
        "several GPUs or MIG slices, and the loss of one",
        several,
        "nvidia-smi -L; CUDA_VISIBLE_DEVICES; analysis/workers/layout.py",
    ),
)
STAGES = {stage.name: stage for stage in _STAGES}
