"""The processes that the settings configure, and the plans that each of them opens."""

from analysis.decode import ImageLimits
from analysis.plans import ModelPlan, ModelPlans, Rules
from analysis.types import DetectorInput
from analysis.workers import channel
from analysis.workers.layout import Layout
from analysis.workers.replica import Replica
from engines import cpu
from engines.types import Engine
from service.factory.models import FoundModel, FoundModels
from service.settings import Settings

# In front of a device, some workers wait for its outputs while others decode.
WORKERS_PER_CORE = 2


def layout_of(settings: Settings, models: FoundModels, replica: Replica) -> Layout:
    """Return the processes of `replica`; the workers are divided among the replicas."""
    devices = device_count(settings, models)
    per_core = WORKERS_PER_CORE if devices else 1
    workers = replica.part_of(settings.workers or per_core * cpu.available())
    return Layout(
        models.engine,
        plans_of(settings, models, device=bool(devices)),
        max(workers, devices),
        devices,
        _isolated(settings),
        settings.compute_capability,
        replica,
    )


def device_count(settings: Settings, models: FoundModels) -> int:
    """Return the number of device processes: one per GPU, or as `device_process` says."""
    wanted, found = settings.device_process, models.engine.devices()
    if not _isolated(settings) or wanted is False:
        return 0
    return max(found, 1) if wanted else found


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


def _isolated(settings: Settings) -> bool:
    return settings.isolate and channel.supported()
