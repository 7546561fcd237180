"""A small residual network."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.encoders.base import Encoder
from molmeta.encoders.convolution import (
    Convolution,
    check_positive,
    halve,
    norm_layer,
    pooled_size,
    read_images,
)
from molmeta.errors import ConfigError


class Residual(Encoder):
    r"""Stages of one residual block and 2 × 2 max-pooling each, then the mean over the pixels.

    The form of ResNet-12, in small. Lee, Maji, Ravichandran, Soatto: *Meta-Learning with
    Differentiable Convex Optimization* (CVPR 2019), https://arxiv.org/abs/1904.03758, section 4.1:

    .. math:: h^{(l)} = \mathrm{pool}\,\rho\big(N C_{3}\, \rho\, N C_{3}\, h^{(l-1)}
              + N C_{1}\, h^{(l-1)}\big)

    with :math:`C_k` a k × k convolution, N a norm and ρ the leaky ReLU of slope 0.1.

    Parameters
    ----------
    widths : sequence of int
        Channels of each stage.
    in_channels, size : int
        Of the images: `[n, in_channels, size, size]` floats in 0..1.
    pooled : bool
        The mean over the last maps; without it they are given whole, and have a `shape`.

    Returns
    -------
    Tensor
        `[n, widths[-1]]`, or `[n, C·H·W]` of the last maps.

    Raises
    ------
    ConfigError
        An option is out of range.
    DataError
        Images are of another shape.

    Differences from the paper
    --------------------------
    Two convolutions a block, not three; narrower; GroupNorm in place of BatchNorm, so that an
    image's vector does not depend on its batch; no DropBlock; the mean over the pixels by default,
    where the paper gives the maps whole.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128),
        in_channels: int = 3,
        size: int = 84,
        pooled: bool = True,
    ) -> None:
        super().__init__()
        if not widths:
            raise ConfigError("widths is empty; give the channels of each stage")
        check_positive(width=min(widths), in_channels=in_channels)
        side = pooled_size(size, len(widths))
        self.input_shape = (in_channels, size, size)
        self.pooled = pooled
        self.shape = None if pooled else (widths[-1], side, side)
        self.dim = widths[-1] if pooled else widths[-1] * side * side
        self.stages = nn.Sequential(*map(_Stage, (in_channels, *widths[:-1]), widths))

    def forward(self, x: Tensor) -> Tensor:
        """Encode images `[n, in_channels, size, size]`: `[n, dim]`."""
        maps = self.stages(read_images(x, self.input_shape, self))
        return maps.mean(dim=(2, 3)) if self.pooled else maps.flatten(1)


class _Stage(nn.Module):
    """`[n, inputs, H, W]` to `[n, width, H // 2, W // 2]`."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(Convolution(inputs, width), norm_layer("group", width))
        self.second = nn.Sequential(Convolution(width, width), norm_layer("group", width))
        self.shortcut = nn.Sequential(Convolution(inputs, width, 1), norm_layer("group", width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.second(F.leaky_relu(self.first(x), 0.1)) + self.shortcut(x)
        return F.leaky_relu(halve(h), 0.1)
