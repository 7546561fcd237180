"""What the encoders of images are made of."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.errors import ConfigError, DataError
from molmeta.tasks import Inputs


class Convolution(nn.Conv2d):
    """A convolution that keeps height and width, without bias: a norm follows.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Side of the kernel, odd.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[n, inputs, H, W]` to `[n, outputs, H, W]`.

        The weights are laid out with the channels last, and the result is so, too: on a CPU the
        norm and the pooling behind it are faster then.
        """
        weight = self.weight.clone(memory_format=torch.channels_last)
        return F.conv2d(x, weight, padding=self.padding)


def norm_layer(norm: str, width: int) -> nn.Module:
    """GroupNorm with up to 8 groups of two channels or more, or BatchNorm without running means.

    Raises
    ------
    ConfigError
        `norm` is neither `group` nor `batch`.
    """
    if norm == "group":
        return nn.GroupNorm(math.gcd(8, max(width // 2, 1)), width)
    if norm == "batch":
        return nn.BatchNorm2d(width, track_running_stats=False)
    raise ConfigError(f"there is no norm '{norm}'; there is: batch, group")


def halve(x: Tensor) -> Tensor:
    """2 × 2 max-pooling: `[n, C, H, W]` to `[n, C, H // 2, W // 2]`."""
    return F.max_pool2d(x, 2)


def pooled_size(size: int, pools: int) -> int:
    """Side of an image after `pools` times 2 × 2 pooling.

    Raises
    ------
    ConfigError
        Nothing would be left.
    """
    if size < 1 or size >> pools < 1:
        raise ConfigError(
            f"images of {size} × {size} cannot be halved {pools} times; "
            f"use fewer poolings or a size of at least {2**pools}"
        )
    return size >> pools


def check_positive(**numbers: int) -> None:
    """Raise `ConfigError` if a width or a number of channels is below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ConfigError(f"{name} is {number}; it must be 1 or more")


def read_images(x: Inputs, shape: tuple[int, int, int], encoder: nn.Module) -> Tensor:
    """Images `[n, C, H, W]` of this `shape`, on the encoder's device and in its precision.

    Raises
    ------
    DataError
        `x` is something else.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point() or tuple(x.shape[1:]) != shape:
        found = f"{x.dtype} {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        wanted = ", ".join(map(str, shape))
        raise DataError(
            f"{type(encoder).__name__} reads images as floats [n, {wanted}]; found {found}: build "
            "it with the images' in_channels and size, or load the images at this size"
        )
    weight = next(encoder.parameters(), x)
    return x.to(weight.device, weight.dtype)
