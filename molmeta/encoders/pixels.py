"""Pixels as they are: nothing learned."""

from __future__ import annotations

from torch import Tensor

from molmeta.encoders.base import Encoder
from molmeta.encoders.convolution import read_images


class Pixels(Encoder):
    """The pixels of an image in a row: what a nearest neighbour compares.

    Parameters
    ----------
    in_channels, size : int
        Of the images: `[n, in_channels, size, size]` floats in 0..1.

    Returns
    -------
    Tensor
        `[n, in_channels · size²]`.

    Raises
    ------
    DataError
        Images are of another shape.
    """

    def __init__(self, in_channels: int = 1, size: int = 28) -> None:
        super().__init__()
        self.input_shape = (in_channels, size, size)
        self.dim = in_channels * size**2

    def forward(self, x: Tensor) -> Tensor:
        """Flatten."""
        return read_images(x, self.input_shape, self).flatten(1)
