"""The classic CNN for FER-2013, for files that hold only its weights."""

from typing import Any

SIDE = 48  # of the faces, pixels


def classic(classes: int) -> Any:
    """The CNN with four convolutions that many FER-2013 demonstrations use, 2.3 M weights.

    float32 (N, 48, 48, 1), grey levels / 255 -> softmax (N, classes).
    """
    from keras import Sequential, layers  # noqa: PLC0415  (optional)

    head = layers.Dense(classes, activation="softmax")
    return Sequential([layers.Input((SIDE, SIDE, 1)), *classic_body(), head])


def classic_body() -> list[Any]:
    """The layers of `classic` between input and classification layer."""
    from keras import layers  # noqa: PLC0415  (optional)

    return [
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Conv2D(128, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(1024, activation="relu"),
        layers.Dropout(0.5),
    ]
