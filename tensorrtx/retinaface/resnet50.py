"""ResNet-50 (He et al., 2015) in torchvision's form: the 3x3 convolution has the stride."""

from tensorrtx.retinaface.layers import Layers

CHANNELS = (512, 1024, 2048)
BLOCKS = (3, 4, 6, 3)


def features(layers: Layers, x: str, flip: bool) -> list[str]:
    """(N, 3, H, W) -> three maps at strides 8, 16 and 32 with ``CHANNELS`` channels."""
    x = layers.conv_norm(x, "body.conv1", "body.bn1", (64, 3, 7), stride=2, slope=0.0, flip=flip)
    x = layers.graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    maps, inner = [], 64
    for stage, blocks in enumerate(BLOCKS):
        width = 64 << stage
        for index in range(blocks):
            stride = 2 if stage and not index else 1
            x = _bottleneck(layers, x, f"body.layer{stage + 1}.{index}", (inner, width), stride)
            inner = 4 * width
        maps.append(x)
    return maps[1:]


def _bottleneck(layers: Layers, x: str, name: str, widths: tuple[int, int], stride: int) -> str:
    inner, width = widths
    shortcut, out = x, 4 * width
    if inner != out:
        down = f"{name}.downsample"
        shortcut = layers.conv_norm(x, f"{down}.0", f"{down}.1", (out, inner, 1), stride=stride)
    y = layers.conv_norm(x, f"{name}.conv1", f"{name}.bn1", (width, inner, 1), slope=0.0)
    y = layers.conv_norm(
        y, f"{name}.conv2", f"{name}.bn2", (width, width, 3), stride=stride, slope=0.0
    )
    y = layers.conv_norm(y, f"{name}.conv3", f"{name}.bn3", (out, width, 1))
    return layers.graph.leaky(layers.graph.node("Add", y, shortcut), 0.0)
