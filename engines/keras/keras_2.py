"""Changes configurations of Keras 2 so that Keras 3 reads them.

Keras 3 reads most of them unchanged, with three exceptions. It takes the `batch_input_shape` of a
first layer for a shape without the batch. It does not accept a bare list of layers as a model. It
rejects arguments that Keras 2 wrote for layers that never used them.
"""

from typing import Any

UNUSED = {f"kernel_{name}" for name in ("initializer", "regularizer", "constraint")} | {"groups"}
DEPTHWISE = {"SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D"}


def upgraded(node: Any) -> Any:
    """Return a configuration, or a part of one, that Keras 3 reads."""
    if isinstance(node, list):
        return [upgraded(child) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: upgraded(child) for key, child in node.items()}
    kind, config = node.get("class_name"), node.get("config")
    if kind == "Sequential":
        node["config"] = _sequential(config)
    elif isinstance(config, dict) and kind in DEPTHWISE:
        node["config"] = {key: value for key, value in config.items() if key not in UNUSED}
    return node


def _sequential(config: Any) -> Any:
    if isinstance(config, list):
        config = {"name": "sequential", "layers": config}
    layers = config.get("layers") if isinstance(config, dict) else None
    if not layers:
        return config
    first = layers[0]
    shape = first["config"].get("batch_input_shape")
    if first["class_name"] != "InputLayer" and shape is not None:
        source = {"batch_input_shape": shape, "dtype": "float32", "name": "input"}
        layers = [{"class_name": "InputLayer", "config": source}, *layers]
    return config | {"layers": [_without_shape(layer) for layer in layers]}


def _without_shape(layer: dict[str, Any]) -> dict[str, Any]:
    if layer["class_name"] == "InputLayer":
        return layer
    config = {k: v for k, v in layer["config"].items() if k != "batch_input_shape"}
    return layer | {"config": config}
