"""Builds the application of Ray Serve: its two deployments, and how many replicas they have."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ray import serve
from ray.serve import Application
from ray.serve.schema import LoggingConfig

from emotions.ray.analysis import Analysis
from emotions.ray.ingress import NAME, Ingress
from engines.errors import EngineError
from service.factory.pipeline import IMAGES_PER_WORKER, IMAGES_PER_WORKER_ON_DEVICE
from service.factory.processes import WORKERS_PER_CORE
from service.settings import Settings
from service.wrong_settings import explain

# Seconds after the deadline of the last request for its answer to be sent.
GRACE_S = 10


class Arguments(BaseModel):
    """What `serve run emotions.ray:app NAME=VALUE ...` and the `args` of a configuration take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicas: int = Field(default=1, ge=1, description="Replicas that analyze images, at least")
    max_replicas: int | None = Field(
        default=None, ge=1, description="Replicas at most; by default the number stays the same"
    )
    cpus: int = Field(default=1, ge=1, description="CPU cores of each replica")
    gpus: float = Field(
        default=0, ge=0, description="GPUs of each replica; with 0.25 four replicas share a GPU"
    )
    http_replicas: int = Field(default=1, ge=1, description="Replicas that answer HTTP requests")
    upscale_delay_s: float = Field(
        default=10, ge=0, description="Time of too much load before replicas are added, in seconds"
    )
    downscale_delay_s: float = Field(
        default=300, ge=0, description="Time of too little load before some are removed, in seconds"
    )

    @model_validator(mode="after")
    def _check(self) -> "Arguments":
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError("max_replicas is smaller than replicas")
        if self.gpus > 1 and self.gpus % 1:
            raise ValueError("gpus above 1 must be a whole number: Ray divides only single GPUs")
        return self


def app(arguments: Arguments) -> Application:
    """Build the application; Ray calls this with the arguments of the command line.

    The settings are the variables `EMOTIONS_...` of the process that builds it.

    Raises:
        EngineError: a setting is wrong; the message names it.
    """
    settings = read_settings(arguments)
    options = scaling(arguments, settings) | _common(settings)
    analysis = serve.deployment(Analysis, name="Analysis", **options)
    ingress = serve.deployment(
        serve.ingress()(Ingress),
        name=NAME,
        num_replicas=arguments.http_replicas,
        # Admission limits the requests under way; Ray's own limit answers in its own way.
        max_ongoing_requests=settings.max_connections,
        ray_actor_options={"num_cpus": 0},
        **_common(settings),
    )
    return ingress.bind(settings, analysis.bind(settings), arguments.replicas)


def read_settings(arguments: Arguments) -> Settings:
    """Read the settings. Replicas have other folders and other cores than this process."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise EngineError(explain(Settings, error)) from None
    per_core = WORKERS_PER_CORE if arguments.gpus else 1
    files = {
        name: path.absolute()
        for name in ("plans", "catalog", "api_keys_file")
        if (path := getattr(settings, name)) is not None
    }
    workers = settings.workers or per_core * arguments.cpus
    return settings.model_copy(update={**files, "workers": workers})


def scaling(arguments: Arguments, settings: Settings) -> dict[str, Any]:
    """Return the options of `Analysis`: its replicas, and how many images each has at a time.

    A replica takes as many images as its workers take in one message each. At half of that, its
    workers are busy.
    """
    each = IMAGES_PER_WORKER_ON_DEVICE if arguments.gpus else IMAGES_PER_WORKER
    images = each * settings.workers
    resources: dict[str, Any] = {"num_cpus": arguments.cpus, "num_gpus": arguments.gpus}
    if not arguments.gpus:  # Ray leaves all GPUs visible
        resources["runtime_env"] = {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}
    options = {
        "ray_actor_options": resources,
        "max_ongoing_requests": images,
        "max_queued_requests": settings.max_queue,
    }
    if arguments.max_replicas is None:
        return {**options, "num_replicas": arguments.replicas}
    between = {
        "min_replicas": arguments.replicas,
        "max_replicas": arguments.max_replicas,
        "target_ongoing_requests": images / 2,
        "upscale_delay_s": arguments.upscale_delay_s,
        "downscale_delay_s": arguments.downscale_delay_s,
    }
    return {**options, "autoscaling_config": between}


def _common(settings: Settings) -> dict[str, Any]:
    return {
        "graceful_shutdown_timeout_s": settings.deadline_s + GRACE_S,
        # The service logs each request, with its id and its stages.
        "logging_config": LoggingConfig(enable_access_log=False, log_level="WARNING"),
    }
