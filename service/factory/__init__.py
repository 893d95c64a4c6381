"""From settings to a running pipeline: the engine, the plans and the processes."""

from service.factory.models import (
    FoundModel,
    FoundModels,
    find_models,
    larger_inputs,
    load_catalog,
    own_catalogs,
)
from service.factory.pipeline import open_pipeline
from service.factory.processes import layout_of, plans_of
from service.factory.tracing import open_tracing

__all__ = [
    "FoundModel",
    "FoundModels",
    "devices_of",
    "find_models",
    "larger_inputs",
    "layout_of",
    "load_catalog",
    "open_pipeline",
    "open_tracing",
    "own_catalogs",
    "plans_of",
]
