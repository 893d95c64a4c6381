"""Between backbone and heads: feature pyramid (Lin et al., 2017) and SSH (Najibi et al., 2017)."""

from tensorrtx.retinaface.layers import Layers


def pyramid(layers: Layers, maps: list[str], channels: tuple[int, ...], out: int) -> list[str]:
    """Convert three maps to ``out`` channels and add each coarser one to the next finer one."""
    slope = _slope(out)
    fine, middle, coarse = (
        layers.conv_norm(x, f"fpn.output{n}.0", f"fpn.output{n}.1", (out, inner, 1), slope=slope)
        for n, (x, inner) in enumerate(zip(maps, channels, strict=True), 1)
    )
    middle = _merge(layers, "fpn.merge2", middle, coarse, out)
    fine = _merge(layers, "fpn.merge1", fine, middle, out)
    return [fine, middle, coarse]


def _merge(layers: Layers, name: str, fine: str, coarse: str, out: int) -> str:
    # Sides are multiples of 32, so the finer map is exactly twice as large.
    factors = layers.graph.numbers(1.0, 1.0, 2.0, 2.0)
    enlarged = layers.graph.node(
        "Resize",
        coarse,
        "",
        factors,
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )
    total = layers.graph.node("Add", fine, enlarged)
    return layers.conv_norm(total, f"{name}.0", f"{name}.1", (out, out, 3), slope=_slope(out))


def context(layers: Layers, x: str, name: str, out: int) -> str:
    """SSH: receptive fields of 3x3, 5x5 and 7x7 in parallel, from chains of 3x3 convolutions.

    The reference activates after the concatenation. Before it, the result is the same, and engines
    fuse it with the convolutions.
    """

    def conv(x: str, part: str, outer: int, inner: int, slope: float) -> str:
        shape = (outer, inner, 3)
        return layers.conv_norm(x, f"{name}.{part}.0", f"{name}.{part}.1", shape, slope=slope)

    half, quarter, slope = out // 2, out // 4, _slope(out)
    three = conv(x, "conv3X3", half, out, 0.0)
    shared = conv(x, "conv5X5_1", quarter, out, slope)
    five = conv(shared, "conv5X5_2", quarter, quarter, 0.0)
    longer = conv(shared, "conv7X7_2", quarter, quarter, slope)
    seven = conv(longer, "conv7x7_3", quarter, quarter, 0.0)
    return layers.graph.node("Concat", three, five, seven, axis=1)


def _slope(channels: int) -> float:
    return 0.1 if channels <= 64 else 0.0
