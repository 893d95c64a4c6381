"""The networks that read an emotion from a grey face: uint8 pixels in, logits out.

All of them normalise inside the graph, so that a model carries its
preprocessing with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import layers

from analysis.evaluation.fer2013 import LABELS, SIDE
from engines.keras.export import classic_body
from training.emotion.inputs import PLAIN, pixels, seen
from training.emotion.recipe import Recipe, View
from training.emotion.schedule import image_side
from training.emotion.transfer import last_maps, load_trunk, mobileface_body
from training.errors import TrainingError


def build(recipe: Recipe, side: int | None = SIDE) -> keras.Model:
    """Return the recipe's network, with weights from ``recipe.start`` where that names a file.

    With a ``side`` of 48 it reads faces of any side as they are. For another, and for None, which
    is the side that its training ended on, it sees its view of faces of 48 pixels resampled to it.

    Raises:
        TrainingError: no network of that name.

    """
    if recipe.network == "joined":
        return joined(recipe.parts, side)
    view = PLAIN if side == SIDE else recipe.view
    ended = image_side(1.0, recipe.sides)
    side = side or view.side or ended
    if recipe.fine and side not in {SIDE, ended}:
        raise TrainingError(f"a fine network sees faces at the side of its training, {ended}")
    match recipe.network:
        case "fer48":
            model = fer48(recipe.width, recipe.blocks, recipe.dropout, side, view)
        case "classic":
            model = classic()
        case "mobileface":
            maps = last_maps(ended) if recipe.fine else 0
            model = mobileface(recipe.dropout, side, recipe.branches, view, maps)
        case "resnet50":
            model = resnet50(weights="imagenet" if recipe.start == "imagenet" else None)
        case unknown:
            raise TrainingError(
                f"unknown network {unknown!r}: fer48, mobileface, classic or resnet50"
            )
    if recipe.start.endswith(".wts"):
        load_trunk(model, Path(recipe.start))
    elif recipe.start not in {"", "imagenet"}:
        model.load_weights(recipe.start)
    return model


def joined(parts: Sequence[Recipe], side: int | None = None) -> keras.Model:
    """Return networks side by side, each with its own view of faces and as its training ended.

    At a ``side`` of 48 all of them see faces as they are.

    uint8 (N, 48, 48), or of any side where that is 48 -> logits (N, 7), the sum of all networks':
    their weights hold each one's share, see `training.emotion.join`.

    Raises:
        TrainingError: no parts, which no option gives.

    """
    if not parts:
        raise TrainingError("a joined network is made of runs: `python -m training.emotion join`")
    faces = pixels(free=side == SIDE)
    networks = [build(part, side) for part in parts]
    named = [
        keras.Model(each.input, each.output, name=f"network_{index}")
        for index, each in enumerate(networks, 1)
    ]
    return keras.Model(faces, layers.Add()([each(faces) for each in named]), name="joined")


def fer48(
    width: int = 40,
    blocks: int = 1,
    dropout: float = 0.3,
    side: int = SIDE,
    view: View = PLAIN,
) -> keras.Model:
    """Return a small residual CNN with squeeze-and-excitation.

    uint8 (N, H, W) -> logits (N, 7). A stem at full resolution, then three
    stages at a half, a quarter and an eighth of it with ``width``, 2 and 4 times
    ``width`` channels: a strided convolution and ``blocks`` residual blocks each
    (He et al., arXiv 1512.03385; Hu et al., arXiv 1709.01507). Global pooling
    leaves the side free, so that training may begin on smaller images.
    """
    faces, x = seen(side, view)
    x = _conv_bn_relu(x, 16)
    for multiple in (1, 2, 4):
        x = _conv_bn_relu(x, width * multiple, strides=2)
        for _ in range(blocks):
            x = _residual(x, width * multiple)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(faces, _logits(x), name="fer48")


def mobileface(
    dropout: float = 0.3, side: int = SIDE, branches: int = 1, view: View = PLAIN, maps: int = 0
) -> keras.Model:
    """Return MobileFaceNet as an emotion network, for transfer from face recognition.

    uint8 (N, H, W) -> logits (N, 7), 0.97 M weights, 160 M multiply-adds at 48x48; see
    `training.emotion.transfer`. A second branch needs half as much again. With the side of its
    last ``maps`` it sees faces at twice the side, at the same cost but for the first layer.
    """
    faces, x = seen(side, view)
    x = layers.Dropout(dropout)(mobileface_body(x, branches, maps=maps))
    return keras.Model(faces, _logits(x), name="mobileface")


def classic() -> keras.Model:
    """Return the four-convolution CNN of many FER-2013 demonstrations, 2.3 M weights.

    uint8 (N, 48, 48) -> logits (N, 7). Weights that a plain Keras ``Sequential``
    of it saved as ``.h5`` load with ``load_weights``; mind that those are mostly
    trained on folders, hence on labels in alphabetical order.
    """
    faces = layers.Input((48, 48), dtype="uint8", name="faces")
    x = layers.Rescaling(1 / 255)(layers.Reshape((48, 48, 1))(faces))
    for layer in classic_body():
        x = layer(x)
    return keras.Model(faces, _logits(x), name="classic")


def resnet50(side: int = 197, weights: str | None = "imagenet") -> keras.Model:
    """Return ResNet-50 on faces enlarged to ``side`` pixels, for transfer from ImageNet.

    uint8 (N, 48, 48) -> logits (N, 7). The grey channel stands in for blue,
    green and red, less their ImageNet means, as the weights expect.
    """
    faces = layers.Input((48, 48), dtype="uint8", name="faces")
    x = layers.Resizing(side, side)(layers.Reshape((48, 48, 1))(faces))
    x = layers.Concatenate()([layers.Rescaling(1, -mean)(x) for mean in (103.939, 116.779, 123.68)])
    shape = (side, side, 3)
    backbone = keras.applications.ResNet50(
        include_top=False, weights=weights, input_shape=shape, pooling="avg"
    )
    x = layers.Dropout(0.5)(backbone(x))
    return keras.Model(faces, _logits(x), name="resnet50")


def _logits(x: Any) -> Any:
    return layers.Dense(len(LABELS), dtype="float32", name="logits")(x)


def _conv_bn_relu(x: Any, filters: int, strides: int = 1) -> Any:
    return layers.ReLU()(_conv_bn(x, filters, strides))


def _conv_bn(x: Any, filters: int, strides: int = 1) -> Any:
    x = layers.Conv2D(filters, 3, strides, "same", use_bias=False, kernel_initializer="he_normal")(
        x
    )
    return layers.BatchNormalization(momentum=0.95, epsilon=1e-3)(x)


def _residual(x: Any, filters: int) -> Any:
    y = _conv_bn(_conv_bn_relu(x, filters), filters)
    return layers.ReLU()(layers.Add()([x, _squeeze_excite(y, filters)]))


def _squeeze_excite(x: Any, filters: int) -> Any:
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(max(filters // 8, 8), 1, activation="relu")(gate)
    gate = layers.Conv2D(filters, 1, activation="sigmoid")(gate)
    return layers.Multiply()([x, gate])
