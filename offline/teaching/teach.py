"""From a folder of photographs by class to a taught emotion network."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from rich.console import Console

from analysis.evaluation.accuracy import softmax
from engines import weights
from engines.catalog import ModelSpec
from engines.types import F64, U8, Array
from offline.errors import TeachingError
from offline.extras import require_sklearn, require_torch
from offline.teaching.faces import Faces, cut_faces
from offline.teaching.folds import FOLDS, folds_of
from offline.teaching.head import Head, fit_best, temperature_of
from offline.teaching.lesson import Lesson
from offline.teaching.network import LOGITS, cooled, features_of, values_of, with_head
from offline.teaching.people import people_of
from offline.teaching.photographs import find_photographs, label_of
from offline.teaching.validation import figures_of, out_of_fold
from service.factory import load_catalog
from service.settings import Settings

# With fewer faces, the accuracy of a class would be a matter of chance.
LEAST_FACES = 4 * FOLDS

# Trains more layers than the last one; see `offline.teaching.finetune.Finetuner`.
Finetune = Callable[[onnx.ModelProto, Array, Array], onnx.ModelProto]


def teach(
    folder: Path,
    settings: Settings,
    console: Console,
    *,
    least_quality: float,
    finetune: bool = False,
) -> Lesson:
    """Teach the classes of `folder` to the emotion network that the settings name.

    Raises:
        MissingExtraError: a library that an extra installs is missing.
        TeachingError: the photographs or the network cannot be used; the message names the fix.
        EngineError: a plan is missing or does not fit.
    """
    require_sklearn()
    if finetune:
        require_torch()
    photographs = find_photographs(folder)
    spec = load_catalog(settings).get(settings.emotion, "emotion")
    base = onnx.load(weights.find(spec, settings.plans / "weights").path)
    faces = cut_faces(photographs, settings, least_quality, console)
    check_enough(faces)
    return learn(base, spec, faces, finetuner if finetune else None)


def check_enough(faces: Faces) -> None:
    """Check that each class has faces for cross-validation.

    Raises:
        TeachingError: one has too few.
    """
    if len(faces.labels) < 2:
        raise TeachingError(
            f"only the class {faces.labels[0]} has pictures; add a subfolder with pictures"
        )
    counts = Counter(faces.targets.tolist())
    for index, label in enumerate(faces.labels):
        if counts[index] < LEAST_FACES:
            raise TeachingError(
                f"the class {label} has {counts[index]} usable faces and needs {LEAST_FACES}; add "
                f"photographs of one person each ({_reasons(faces, label)})"
            )


def _reasons(faces: Faces, label: str) -> str:
    reasons = Counter(
        each.reason for each in faces.left_out if label_of(each.name) == label
    ).most_common(3)
    listed = ", ".join(f"{count}: {reason}" for reason, count in reasons)
    return f"left out: {listed}" if listed else "none was left out"


def learn(
    base: onnx.ModelProto,
    spec: ModelSpec,
    faces: Faces,
    prepare: Callable[[onnx.ModelProto, U8], Finetune] | None = None,
) -> Lesson:
    """Train a last layer, measure it by cross-validation, and calibrate it.

    With `prepare`, such as `finetuner`, layers before it are trained, too.

    Raises:
        TeachingError: the network does not end in linear layers and softmax.
    """
    classes, targets = len(faces.labels), faces.targets
    crops, features = faces.crops, features_of(base, faces.crops)
    people = None
    if faces.embeddings is not None:
        people = people_of(faces.embeddings, faces.same_person)
    folds = folds_of(targets, people, classes)

    def head_of(train: Array) -> Head:
        some = None if people is None else people[train]
        return fit_best(features[train], targets[train], some, classes)

    model, finetune = with_head(base, *head_of(np.arange(len(targets)))), None
    if prepare is not None:
        finetune = prepare(model, crops)

    def trial(train: Array, test: Array) -> F64:
        head = head_of(train)
        if finetune is None:
            return head.logits(features[test])
        tuned = finetune(with_head(base, *head), train, targets)
        return values_of(tuned, [LOGITS], crops[test])[0].astype(np.float64)

    logits = out_of_fold(trial, folds.parts)
    temperature = temperature_of(logits, targets)
    if finetune is not None:
        model = finetune(model, np.arange(len(targets)), targets)
    return Lesson(
        cooled(model, temperature),
        spec.name,
        spec.licence,
        prepare is not None,
        faces,
        people,
        folds.by_person,
        figures_of(softmax(logits / temperature), targets, people, faces.labels),
    )


def finetuner(model: onnx.ModelProto, crops: U8) -> Finetune:
    """Return a function that trains the last layers, for faces (N, 48, 48) uint8."""
    from offline.teaching.finetune import Finetuner  # noqa: PLC0415  (PyTorch is an extra)

    return Finetuner(model, crops)
