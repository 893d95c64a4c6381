"""Errors of models and engines; every message names the fix.

EngineError
├── CatalogError         an entry is unknown, or a catalog is not valid
├── WeightsMissingError  this machine has no weights of a model
├── ChecksumError        a file is not the one that the catalog names
├── DownloadError        a download failed
├── PlanMissingError     no plan for this model, engine and hardware
├── PlanDamagedError     a plan is not what was built
├── ParityError          a plan's outputs differ from the reference
├── DataError            labelled faces are missing, or in an unknown form
├── KerasMissingError    the packages that export Keras models are not installed
├── ClassifierError      a user's model cannot be an emotion network, or holds code
├── GpuMissingError      the GPU, driver or library of an engine is missing
├── LibraryMissingError  the optional library of an engine is not installed
└── RunnerError          the engine failed during inference
    ├── RunnerLostError  the engine's process ended, perhaps because of the batch
    └── GpuMemoryError   the GPU has not enough free memory, or the budget is too small
"""


class EngineError(Exception):
    """A failure of models or engines; the message is a sentence that names the fix."""


class CatalogError(EngineError):
    """An unknown model name, or a catalog that is not valid."""


class WeightsMissingError(EngineError):
    """No weights for a model: neither the user's own, nor shipped, nor downloaded."""


class ChecksumError(EngineError):
    """A weights file with another sha256 than the catalog's."""


class DownloadError(EngineError):
    """A download that ended before the file was complete."""


class PlanMissingError(EngineError):
    """No plan with the fingerprint of this model, engine and hardware."""


class PlanDamagedError(EngineError):
    """A plan with other bytes than the build wrote, or one that its library does not load."""


class ParityError(EngineError):
    """A plan that differs from the reference by more than its limits."""


class DataError(EngineError):
    """Labelled faces that are missing, or in an unknown form."""


class KerasMissingError(EngineError):
    """Keras, TensorFlow or tf2onnx is not installed; the message names the command."""


class ClassifierError(EngineError):
    """A file that cannot become an emotion network: wrong shapes, damaged, or with code."""


class GpuMissingError(EngineError):
    """No GPU, driver or library for an engine that needs them; the message names it."""


class LibraryMissingError(EngineError):
    """The optional library of an engine is not installed; the message names the command."""


class RunnerError(EngineError):
    """The engine failed during inference."""


class RunnerLostError(RunnerError):
    """The process that ran the engine ended during inference."""


class GpuMemoryError(RunnerError):
    """Too little memory on the GPU, or in its budget; the message names need and limit in MiB."""
