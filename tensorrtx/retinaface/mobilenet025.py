"""MobileNet v1 (Howard et al., 2017) with a quarter of its channels, in RetinaFace's stages."""

from tensorrtx.retinaface.layers import Layers

SLOPE = 0.1
CHANNELS = (64, 128, 256)
# Per stage: (output channels, stride) of its depth-wise separable blocks.
STAGES = (
    ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
    ((128, 2), (128, 1), (128, 1), (128, 1), (128, 1), (128, 1)),
    ((256, 2), (256, 1)),
)


def features(layers: Layers, x: str, flip: bool) -> list[str]:
    """(N, 3, H, W) -> three maps at strides 8, 16 and 32 with ``CHANNELS`` channels."""
    name = "body.stage1.0"
    x = layers.conv_norm(x, f"{name}.0", f"{name}.1", (8, 3, 3), stride=2, slope=SLOPE, flip=flip)
    maps, inner = [], 8
    for stage, blocks in enumerate(STAGES, 1):
        for index, (out, stride) in enumerate(blocks, 1 if stage == 1 else 0):
            x = _separable(layers, x, f"body.stage{stage}.{index}", (inner, out), stride)
            inner = out
        maps.append(x)
    return maps


def _separable(layers: Layers, x: str, name: str, widths: tuple[int, int], stride: int) -> str:
    inner, out = widths
    x = layers.conv_norm(x, f"{name}.0", f"{name}.1", (inner, 1, 3), stride=stride, slope=SLOPE)
    return layers.conv_norm(x, f"{name}.3", f"{name}.4", (out, inner, 1), slope=SLOPE)
