"""What can go wrong before and while an engine runs; every message names the fix.

EngineError
├── CatalogError         an entry is unknown, or the catalog is not valid
├── WeightsMissingError  no file for a model on this machine
├── ChecksumError        a file is not the one the catalog names
├── DownloadError        the network or the server let us down
├── PlanMissingError     nothing was built for this model, engine and hardware
├── PlanDamagedError     a plan is there but is not what was built
├── ParityError          a plan answers differently from the reference
├── DataError            labelled faces are missing, or not in a form that is read
├── KerasMissingError    what exports a Keras model is not installed
├── KerasModelError      a Keras model cannot be an emotion engine, or holds code
├── GpuMissingError      an engine was asked for whose GPU or library is not here
├── LibraryMissingError  an engine was asked for that is an extra and not installed
└── RunnerError          the engine failed during inference
    └── RunnerLostError  the process that ran it ended: one of its batches may be why
"""


class EngineError(Exception):
    """A failure of models or engines, told in a sentence that names the fix."""


class CatalogError(EngineError):
    """A model name that no catalog has, or a catalog entry that is not valid."""


class WeightsMissingError(EngineError):
    """No weights for a model: not shipped, not dropped in place, not downloaded."""


class ChecksumError(EngineError):
    """A weights file whose sha256 is not the catalog's."""


class DownloadError(EngineError):
    """A download that ended before the file was whole."""


class PlanMissingError(EngineError):
    """No plan with the fingerprint that model, engine and hardware ask for."""


class PlanDamagedError(EngineError):
    """A plan whose bytes are not those that the build wrote."""


class ParityError(EngineError):
    """A plan that is farther from the reference than its limits allow."""


class DataError(EngineError):
    """Labelled faces that are not there, or that are not in a form that is read."""


class KerasMissingError(EngineError):
    """Keras, TensorFlow or tf2onnx is not here; the message says what to install."""


class KerasModelError(EngineError):
    """A Keras file that cannot become an emotion engine: wrong shapes, damaged, or with code."""


class GpuMissingError(EngineError):
    """No GPU, no driver, or no library for an engine that needs them; the message says which."""


class LibraryMissingError(EngineError):
    """An engine of an extra that is not installed; the message says how to."""


class RunnerError(EngineError):
    """The engine failed during inference."""


class RunnerLostError(RunnerError):
    """The process that ran the engine ended during inference."""
