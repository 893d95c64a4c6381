"""The depth-wise kernel for CPUs, beside PyTorch's own operations."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is in the training environment only")

from torch.nn import functional  # noqa: E402

from training.emotion.depthwise import Weights, available, depthwise  # noqa: E402

pytestmark = pytest.mark.skipif(not available(), reason="this machine lacks a C++ compiler")


@pytest.mark.parametrize(
    # A bfloat16 has 8 bits, so the last of them is 1/256 of the value.
    ("kind", "precision"),
    [(torch.bfloat16, 1 / 128), (torch.float32, 1e-5)],
    ids=["bfloat16", "float32"],
)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(2, 10, 10, 32), (5, 7, 4, 16), (1, 1, 1, 64)])
def test_it_gives_what_three_operations_give_and_their_gradients(
    shape: tuple[int, int, int, int], stride: int, threads: int, kind: Any, precision: float
) -> None:
    torch.manual_seed(0)
    channels = shape[3]
    maps = torch.randn(shape).to(kind)
    before, bias, after = (torch.rand(channels, requires_grad=True) for _ in range(3))
    kernel = torch.randn(9, channels, requires_grad=True)
    weights = Weights(before, kernel, bias, after)

    plain = maps.float().requires_grad_()
    inner = functional.prelu(plain.permute(0, 3, 1, 2), before)
    filters = kernel.T.reshape(channels, 1, 3, 3)
    inner = functional.conv2d(inner, filters, bias, stride, padding=1, groups=channels)
    expected = functional.prelu(inner, after).permute(0, 2, 3, 1)
    given = torch.randn(expected.shape).to(kind)
    theirs = torch.autograd.grad((expected * given).sum(), [plain, *weights])

    allowed = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        maps.requires_grad_()
        ours = depthwise(maps, weights, stride)
        gradients = torch.autograd.grad((ours.float() * given).sum(), [maps, *weights])
    finally:
        torch.set_num_threads(allowed)
    assert ours.dtype == kind
    for own, other in zip([ours, *gradients], [expected, *theirs], strict=True):
        assert (own.float() - other).abs().max() <= other.abs().max() * precision


@pytest.mark.parametrize("maps", [torch.zeros(1, 4, 4, 16).half(), torch.zeros(1, 4, 4, 20)])
def test_maps_that_it_would_misread_are_refused(maps: Any) -> None:
    channels = maps.shape[3]
    slopes = torch.zeros(channels)
    with pytest.raises(ValueError, match="maps are bfloat16 or float32 with 16, 32, … channels"):
        depthwise(maps, Weights(slopes, torch.zeros(9, channels), slopes, slopes))
