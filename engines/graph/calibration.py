"""int8 by symmetric quantisation (QDQ), calibrated on faces, in the form that TensorRT parses.

Activations and weights are int8 with zero points of zero, weights have a scale per channel, and
biases stay float32. TensorRT rejects ONNX Runtime's defaults (uint8, int32 biases).
"""

import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import shape_inference
from onnxruntime import quantization

from engines.catalog import ModelSpec
from engines.errors import EngineError
from engines.probe_inputs import probe
from engines.types import U8
from tensorrtx.retinaface import MEAN_RGB

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
KINDS = ["Conv", "Gemm", "MatMul"]
OPTIONS = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}
# Layers with fewer channels stay float32.
FEWEST_CHANNELS = 32
# Enough for stable ranges. Each image costs one run of the network, which keeps all its maps.
MOST_IMAGES = 256


def quantized(
    model: onnx.ModelProto, spec: ModelSpec, exact: set[str], faces: Path | None = None
) -> onnx.ModelProto:
    """Return the graph with its convolutions and dense layers in int8, except for outputs `exact`.

    `faces` is a folder of images like those that the network will see: frames for a detector, face
    crops for the others. Without it, variations of the probe images are used.

    Raises:
        EngineError: the folder has no images.
    """
    excluded = [node.name for node in model.graph.node if exact.issuperset(node.output)]
    excluded += delicate(model.graph)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, result = Path(folder, "plain.onnx"), Path(folder, "int8.onnx")
        onnx.save(_prepared(model), plain)
        quantization.quantize_static(
            plain,
            result,
            _SampleReader(spec, samples(spec, faces)),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=KINDS,
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=excluded,
            extra_options=OPTIONS,
        )
        return onnx.load_model_from_string(result.read_bytes())


def _prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with inferred shapes, and metadata that marks it so for ONNX Runtime."""
    prepared = shape_inference.infer_shapes(model)
    metadata = {"onnx.quant.pre_process": "onnxruntime.quant"}
    onnx.helper.set_model_props(prepared, metadata)
    return prepared


def delicate(graph: onnx.GraphProto) -> list[str]:
    """Names of the layers that lose more accuracy in int8 than they gain in speed.

    - the first layer, which sees pixels;
    - layers with few channels, such as depth-wise ones: int8 units compute 32 channels at once, and
      in a sum of few products the errors do not average out;
    - the last two before the outputs: with those in int8, an embedding's cosine falls from 0.99 to
      0.78.
    """
    layers = [node for node in graph.node if node.op_type in KINDS]
    kernels = {tensor.name: min(tensor.dims[:2]) for tensor in graph.initializer if tensor.dims}
    after: dict[str, int] = {}
    found = [layers[0].name] if layers else []
    for node in reversed(graph.node):
        layer = node.op_type in KINDS
        narrow = layer and kernels.get(node.input[1], FEWEST_CHANNELS) < FEWEST_CHANNELS
        later = max((after.get(name, 0) for name in node.output), default=0)
        if layer and (narrow or later < 2):
            found.append(node.name)
        for name in node.input:
            after[name] = max(after.get(name, 0), later + (layer and not narrow))
    return found


def samples(spec: ModelSpec, faces: Path | None = None) -> Iterator[U8]:
    """Yield the images to calibrate with, each as one item of the network's input."""
    if faces is None:
        for item in probe(spec):
            yield from _varied(item)
        return
    files = sorted(path for path in faces.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise EngineError(f"{faces} holds no images ({', '.join(sorted(SUFFIXES))})")
    for file in files[:: -(-len(files) // MOST_IMAGES)]:  # spread over all folders
        pixels = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
        if pixels is None:
            raise EngineError(f"{file} is not an image that can be read")
        image = np.asarray(pixels, np.uint8)
        if spec.task == "detector":
            yield _letterboxed(image, *spec.input_size)
        else:
            yield _resized(image, spec.input_shape)


def _varied(item: U8) -> Iterator[U8]:
    """Yield an item unchanged, darker, brighter, flatter, shrunk into a corner, and cropped."""
    yield item
    for gain, offset in ((0.4, 0), (1.6, 0), (0.6, 60)):
        yield np.clip(item * np.float32(gain) + offset, 0, 255).astype(np.uint8)
    height, width = item.shape[:2]
    small = np.zeros_like(item)
    small[: height // 2, : width // 2] = cv2.resize(item, (width // 2, height // 2))
    yield small
    inner = item[height // 8 : -height // 8, width // 8 : -width // 8]
    yield np.asarray(cv2.resize(inner, (width, height)), np.uint8)


def _letterboxed(image: U8, height: int, width: int) -> U8:
    """Letterbox an RGB frame into a detector's input, as the service does."""
    scale = min(height / image.shape[0], width / image.shape[1])
    inside = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    scaled = cv2.resize(image, inside, interpolation=cv2.INTER_AREA)
    below, beside = height - inside[1], width - inside[0]
    return np.asarray(
        cv2.copyMakeBorder(scaled, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=MEAN_RGB),
        np.uint8,
    )


def _resized(image: U8, shape: tuple[int, ...]) -> U8:
    """Resize an RGB image to the input of a network, and make it grey if the input is."""
    height, width = shape[:2]
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    grey = len(shape) == 2
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY) if grey else scaled, np.uint8)


class _SampleReader(quantization.CalibrationDataReader):  # type: ignore[misc]  # it has no types
    """Passes the samples to ONNX Runtime one by one."""

    def __init__(self, spec: ModelSpec, items: Iterable[U8]) -> None:
        self._name = spec.input_name
        self._items = iter(items)

    def get_next(self) -> dict[str, U8] | None:
        item = next(self._items, None)
        return None if item is None else {self._name: item[None]}
