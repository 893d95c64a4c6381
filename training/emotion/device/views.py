"""Random views of many faces at once, where they are trained on.

What `training.emotion.augment` draws for a face at a time in OpenCV, for a batch in PyTorch.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

from training.emotion.recipe import Strength

# Quantisation of luminance, ITU-T T.81, table K.1.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
SIGMAS = np.linspace(0.4, 1.5, 8)
LINES = (3, 5, 7)


class Views:
    """Views of one side."""

    def __init__(self, side: int, strength: Strength, device: torch.device) -> None:
        self.side, self.strength = side, strength
        down, across, odds = _filters(side)
        self.down, self.across, self.odds = (each.to(device) for each in (down, across, odds))
        blocks = math.ceil(side / 8)
        cosines = torch.block_diag(*[_cosines()] * blocks)
        # JPEG's blocks are of 8: where they reach over the side, its border goes on in them.
        border = torch.eye(side)[torch.arange(8 * blocks).clamp(max=side - 1)]
        self.waves, self.samples = (cosines @ border).to(device), cosines.T[:side].to(device)
        self.table = torch.tensor(LUMINANCE, dtype=torch.float32).repeat(blocks, blocks).to(device)

    def __call__(self, faces: Tensor) -> Tensor:
        """Faces uint8 (N, 48, 48) in random order -> views float32 (N, side, side), 0 to 255."""
        pixels = self._framed(faces)
        pixels = torch.where(_some(pixels, self.strength.tone), _toned(pixels), pixels)
        pixels = self._degraded(pixels)
        return torch.where(
            _some(pixels, self.strength.erase) & _rectangle(pixels), _fill(pixels), pixels
        )

    def _framed(self, faces: Tensor) -> Tensor:
        """Mirror, rotate, scale and shift, as `training.emotion.augment.jitter_frame`."""
        count, strength = len(faces), self.strength
        draw = torch.empty(count, device=faces.device)
        angle = _bounded_normal(draw, math.radians(strength.rotation))
        zoom = draw.uniform_(*(math.log(limit) for limit in strength.scale)).exp()
        mirrored = torch.randint_like(draw, 2) * 2 - 1
        cos, sin = zoom * angle.cos(), zoom * angle.sin()
        # Lengths are shares of the side, which is 2 long in these coordinates.
        shifts = [2 * _bounded_normal(draw, strength.shift) for _ in range(2)]
        rows = [mirrored * cos, -sin, shifts[0], mirrored * sin, cos, shifts[1]]
        frame = torch.stack(rows, 1).reshape(count, 2, 3)
        grid = F.affine_grid(frame, [count, 1, self.side, self.side], align_corners=False)
        given = faces.float().unsqueeze(1)
        seen = F.grid_sample(given, grid, padding_mode="border", align_corners=False)
        return seen.squeeze(1)

    def _degraded(self, pixels: Tensor) -> Tensor:
        """One of six things to the first of the batch, whose order is random."""
        count = round(self.strength.degrade * len(pixels))
        filtered, compressed = count * 4 // 6, count * 5 // 6
        if not filtered:
            return pixels
        chosen = torch.multinomial(self.odds, filtered, replacement=True)
        first, second, third, rest = pixels.tensor_split((filtered, compressed, count))
        first = self.down[chosen] @ first @ self.across[chosen].mT
        noise = torch.randn_like(third) * _uniform(third, 2, 14)
        made = torch.cat([first, self._compressed(second), third + noise, rest])
        return made.clamp(0, 255)

    def _compressed(self, pixels: Tensor) -> Tensor:
        """As JPEG of quality 10 to 60 leaves them."""
        quality = _uniform(pixels, 10, 60)
        percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
        steps = ((self.table * percent + 50) / 100).floor().clamp(1, 255)
        waves = self.waves @ (pixels - 128) @ self.waves.T
        kept = (waves / steps).round() * steps
        return self.samples @ kept @ self.samples.T + 128


def blend(pixels: Tensor, targets: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Mix every view and target with another's (arXiv 1710.09412)."""
    others = torch.randperm(len(pixels), device=pixels.device)
    return torch.lerp(pixels[others], pixels, weight), torch.lerp(targets[others], targets, weight)


def _toned(pixels: Tensor) -> Tensor:
    """Gamma 0.5-2, brightness, contrast, and for three in ten light from one side."""
    curve = (pixels / 255).clamp(1e-4, 1) ** _uniform(pixels, -0.7, 0.7).exp()
    curve = (curve - 0.5) * _uniform(pixels, 0.6, 1.4) + 0.5 + _uniform(pixels, -0.16, 0.16)
    angle = _uniform(pixels, 0, 2 * math.pi)
    axis = torch.linspace(-0.5, 0.5, pixels.shape[1], device=pixels.device)
    ramp = (axis * angle.cos() + axis[:, None] * angle.sin() + 0.5).clamp(0, 1)
    light = 1 - _some(pixels, 0.3) * _uniform(pixels, 0, 0.7) * ramp
    return curve.clamp(0, 1) * light * 255


def _rectangle(pixels: Tensor) -> Tensor:
    """Of each face a rectangle of 4 to 20 %, bool (N, side, side) (arXiv 1708.04896)."""
    side = pixels.shape[1]
    area, ratio = _uniform(pixels, 0.04, 0.2) * side * side, _uniform(pixels, -0.9, 0.9).exp()
    axis = torch.arange(side, device=pixels.device)
    inside = []
    for length, along in (((area * ratio).sqrt(), axis[:, None]), ((area / ratio).sqrt(), axis)):
        start = _uniform(pixels, 0, 1) * (side - length)
        inside.append((along >= start) & (along < start + length))
    return inside[0] & inside[1]


def _fill(pixels: Tensor) -> Tensor:
    """One grey a face, or noise."""
    return torch.where(_some(pixels, 0.5), torch.rand_like(pixels), _uniform(pixels, 0, 1)) * 255


def _uniform(pixels: Tensor, low: float, high: float) -> Tensor:
    """A number for each face, (N, 1, 1)."""
    return torch.empty(len(pixels), 1, 1, device=pixels.device).uniform_(low, high)


def _some(pixels: Tensor, share: float) -> Tensor:
    """Which faces something is done to, bool (N, 1, 1)."""
    return _uniform(pixels, 0, 1) < share


def _bounded_normal(like: Tensor, limit: float) -> Tensor:
    return (torch.randn_like(like) * (limit / 2.5)).clamp(-limit, limit)


def _filters(side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices (K, side, side) over rows and over columns, and how often each is drawn (K,).

    Blur, a line of motion, and twice as often a face that was small.
    """
    same = torch.eye(side)
    lines = [_near(side, length / 2) for length in LINES]
    pairs = [(line, same) for line in lines] + [(same, line) for line in lines]
    odds = [1 / len(pairs)] * len(pairs)
    axis = torch.arange(side, dtype=torch.float32)
    for sigma in SIGMAS:
        bell = torch.exp(-((axis - axis[:, None]) ** 2) / (2 * sigma**2))
        pairs.append((bell / bell.sum(1, keepdim=True),) * 2)
        odds.append(1 / len(SIGMAS))
    sizes = range(12, max(13, side * 2 // 3))
    for size in sizes:
        pairs.append((_small_and_back(side, size),) * 2)
        odds.append(2 / len(sizes))
    down, across = (torch.stack(each) for each in zip(*pairs, strict=True))
    return down, across, torch.tensor(odds)


def _near(side: int, reach: float) -> Tensor:
    axis = torch.arange(side)
    near = ((axis - axis[:, None]).abs() < reach).float()
    return near / near.sum(1, keepdim=True)


def _small_and_back(side: int, size: int) -> Tensor:
    small = F.interpolate(torch.eye(side)[None], size=size, mode="area")
    return F.interpolate(small, size=side, mode="linear")[0].T


def _cosines() -> Tensor:
    """The orthogonal cosine transform of eight samples, (8, 8)."""
    wave, sample = torch.arange(8.0)[:, None], torch.arange(8.0)
    matrix = torch.cos(math.pi * (2 * sample + 1) * wave / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix
