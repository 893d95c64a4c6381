"""The networks that classify the emotion of a grey face: uint8 pixels in, logits out.

All of them normalise inside the graph, so a saved model contains its preprocessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import layers

from analysis.evaluation.fer2013 import LABELS, SIDE
from engines.keras.classic import classic_body
from training.emotion.inputs import PLAIN, pixels, seen
from training.emotion.recipe import Recipe, View
from training.emotion.schedule import image_side
from training.emotion.transfer import last_maps, load_trunk, mobileface_body
from training.errors import TrainingError


def build(recipe: Recipe, side: int | None = SIDE) -> keras.Model:
    """Return the network of a recipe, with the weights of ``recipe.start`` if that names a file.

    With a ``side`` of 48 it reads faces of any side without resampling. With another side it reads
    faces of 48 pixels and resamples its view of them; None stands for the side on which the
    training ends.

    Raises:
        TrainingError: no network has that name, or it cannot have that side.

    """
    if recipe.network == "joined":
        return joined(recipe.parts, side)
    view = PLAIN if side == SIDE else recipe.view
    ended = image_side(1.0, recipe.sides)
    side = side or view.side or ended
    if recipe.fine and side not in {SIDE, ended}:
        raise TrainingError(f"a fine network reads faces only at the side of its training, {ended}")
    model = _network(recipe, side, view)
    if recipe.start.endswith(".wts"):
        load_trunk(model, Path(recipe.start))
    elif recipe.start not in {"", "imagenet"}:
        model.load_weights(recipe.start)
    return model


def _network(recipe: Recipe, side: int, view: View) -> keras.Model:
    match recipe.network:
        case "fer48":
            return fer48(recipe.width, recipe.blocks, recipe.dropout, side, view)
        case "classic":
            return classic()
        case "mobileface":
            maps = last_maps(image_side(1.0, recipe.sides)) if recipe.fine else 0
            return mobileface(recipe.dropout, side, view, maps)
        case "resnet50":
            return resnet50(weights="imagenet" if recipe.start == "imagenet" else None)
        case unknown:
            raise TrainingError(
                f"unknown network {unknown!r}: fer48, mobileface, classic or resnet50"
            )


def joined(parts: Sequence[Recipe], side: int | None = None) -> keras.Model:
    """Return networks side by side, each with its own view and side.

    uint8 (N, 48, 48) -> logits (N, 7), the sum over all networks; `training.emotion.join` scales
    their weights. At a ``side`` of 48 all of them read faces of any side without resampling.

    Raises:
        TrainingError: there are no parts.

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

    uint8 (N, H, W) -> logits (N, 7). A stem at full resolution, then three stages at a half, a
    quarter and an eighth of it, with ``width``, 2 ``width`` and 4 ``width`` channels. Each stage is
    a strided convolution and ``blocks`` residual blocks (He et al., arXiv 1512.03385; Hu et al.,
    arXiv 1709.01507). Global pooling allows any side, so training may start on smaller images.
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
    dropout: float = 0.3, side: int = SIDE, view: View = PLAIN, maps: int = 0
) -> keras.Model:
    """Return MobileFaceNet as an emotion network, for transfer from face recognition.

    uint8 (N, H, W) -> logits (N, 7), 0.97 M weights, 160 M multiply-adds at 48x48; see
    `training.emotion.transfer`. ``maps`` is the side of the last maps of a fine network, which sees
    faces at twice the side; only its first layer costs more.
    """
    faces, x = seen(side, view)
    x = layers.Dropout(dropout)(mobileface_body(x, maps=maps))
    return keras.Model(faces, _logits(x), name="mobileface")


def classic() -> keras.Model:
    """Return the four-convolution CNN of many FER-2013 demonstrations, 2.3 M weights.

    uint8 (N, 48, 48) -> logits (N, 7). ``load_weights`` reads the ``.h5`` file of the same network
    saved as a plain Keras ``Sequential``. Such files were mostly trained on folders of images, so
    their labels are in alphabetical order.
    """
    faces = layers.Input((48, 48), dtype="uint8", name="faces")
    x = layers.Rescaling(1 / 255)(layers.Reshape((48, 48, 1))(faces))
    for layer in classic_body():
        x = layer(x)
    return keras.Model(faces, _logits(x), name="classic")


def resnet50(side: int = 197, weights: str | None = "imagenet") -> keras.Model:
    """Return ResNet-50 on faces enlarged to ``side`` pixels, for transfer from ImageNet.

    uint8 (N, 48, 48) -> logits (N, 7). The grey channel is used for blue, green and red, minus
    their ImageNet means, as the weights expect.
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
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Conv2D(max(filters // 8, 8), 1, activation="relu")(weights)
    weights = layers.Conv2D(filters, 1, activation="sigmoid")(weights)
    return layers.Multiply()([x, weights])
