"""The processes that the settings configure, and the plans that each of them opens."""

from collections.abc import Sequence

from analysis.jpegs import select as decoders
from analysis.limits import ImageLimits
from analysis.plans import ModelPlan, ModelPlans, Rules
from analysis.types import DetectorInput
from analysis.workers import channel
from analysis.workers.layout import DevicePlans, Layout
from analysis.workers.replica import Replica
from engines import cpu
from engines.errors import EngineError
from engines.types import Engine
from service.factory.models import FoundModel, FoundModels, uses_devices
from service.settings import Settings

# In front of a device, some workers wait for its outputs while others decode.
WORKERS_PER_CORE = 2


def layout_of(settings: Settings, models: FoundModels, replica: Replica) -> Layout:
    """Return the processes of `replica`; the workers are divided among the replicas.

    Raises:
        EngineError: a setting needs a GPU.
    """
    devices = devices_of(settings, models)
    per_core = WORKERS_PER_CORE if devices else 1
    workers = replica.part_of(settings.workers or per_core * cpu.available())
    return Layout(
        models.engine,
        devices[0].plans if devices else plans_of(settings, models),
        max(workers, len(devices)),
        devices,
        settings.isolate and channel.supported(),
        settings.compute_capability,
        replica,
        settings.gpu_memory_bytes,
        _jpeg_decoder(settings, devices),
    )


def devices_of(settings: Settings, models: FoundModels) -> tuple[DevicePlans, ...]:
    """Return the device processes: one per GPU or MIG slice, or as `device_process` is set."""
    if not uses_devices(settings):
        return ()
    gpus = models.engine.gpus()
    if not gpus:
        plans = plans_of(settings, models, device=True)
        return (DevicePlans(None, plans),) if settings.device_process else ()
    return tuple(DevicePlans(gpu, plans_of(settings, models.on(gpu), device=True)) for gpu in gpus)


def plans_of(settings: Settings, models: FoundModels, *, device: bool = False) -> ModelPlans:
    """Return the plans that a worker opens, and the rules that apply to every image.

    On a device, batches are as large as the models allow, and all inputs of the detector have the
    full height.
    """
    specs = [model.spec for model in (models.detector, *models.larger)]
    heights = [() if device else models.engine.heights(spec) for spec in specs]
    rules = Rules(
        ImageLimits(settings.max_image_bytes, settings.max_pixels),
        tuple(map(DetectorInput, (spec.input_size for spec in specs), heights)),
        settings.nms_iou,
        settings.close_ups,
        settings.max_tiles,
    )
    landmarks, embedder = models.landmarks, models.embedder
    return ModelPlans(
        _plan(models.detector, models.engine, device),
        _plan(models.emotion, models.engine, device),
        rules,
        landmarks and _plan(landmarks, models.engine, device),
        embedder and _plan(embedder, models.engine, device),
        tuple(_plan(model, models.engine, device) for model in models.larger),
    )


def _plan(model: FoundModel, engine: Engine, device: bool) -> ModelPlan:
    batch = model.spec.max_batch if device else engine.batch(model.spec)
    return ModelPlan(model.plan, model.spec, batch)


def _jpeg_decoder(settings: Settings, devices: Sequence[DevicePlans]) -> str | None:
    name = settings.jpeg_decoder
    if name == "cpu":
        return None
    decoders.check(name)
    if not devices or (name in decoders.DECODERS and devices[0].gpu is None):
        raise EngineError(
            f"EMOTIONS_JPEG_DECODER={name} needs a GPU and its device process, and the engine is "
            "on the CPU or has no such process; set it to cpu"
        )
    return name
