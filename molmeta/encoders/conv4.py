"""Four convolutions: the common encoder of few-shot images."""

from __future__ import annotations

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

BLOCKS = 4


class Conv4(Encoder):
    r"""Four blocks of 3 × 3 convolution, norm, ReLU, and 2 × 2 max-pooling in the first of them.

    Vinyals, Blundell, Lillicrap, Kavukcuoglu, Wierstra: *Matching Networks for One Shot Learning*
    (NeurIPS 2016), https://arxiv.org/abs/1606.04080, section 4.1; the encoder of MAML,
    Prototypical and Relation Networks as well:

    .. math:: h^{(l)} = \mathrm{pool}\,\mathrm{ReLU}\,\mathrm{norm}\,(W^{(l)} * h^{(l-1)})

    Parameters
    ----------
    width : int
        Channels of a block.
    in_channels, size : int
        Of the images: `[n, in_channels, size, size]` floats in 0..1.
    pools : int
        How many blocks pool, 0 to 4. With two, 28 × 28 images give maps of 7 × 7 for a
        Relation Network.
    norm : str
        `group`, or `batch` as in the papers, with the statistics of whatever images are encoded
        together, in training and at test. That is *transductive*: the score of an image depends
        on the others in its batch, and a query that comes alone is scored otherwise than among
        others. Published accuracies of MAML and Reptile rest on it.

    Attributes
    ----------
    transductive : bool
        Whether a row depends on the other rows: the norm is `batch`.

    Returns
    -------
    Tensor
        `[n, dim]`, the maps of `shape` in a row: 64 for 28 × 28 and 1,600 for 84 × 84.

    Raises
    ------
    ConfigError
        An option is out of range.
    DataError
        Images are of another shape.

    Differences from the paper
    --------------------------
    GroupNorm by default. No bias in front of a norm. ReLU and pooling change places, which gives
    the same in less time.
    """

    def __init__(
        self,
        width: int = 64,
        in_channels: int = 1,
        size: int = 28,
        pools: int = BLOCKS,
        norm: str = "group",
    ) -> None:
        super().__init__()
        check_positive(width=width, in_channels=in_channels)
        if not 0 <= pools <= BLOCKS:
            raise ConfigError(f"pools is {pools}; Conv4 can pool in 0 to {BLOCKS} of its blocks")
        side = pooled_size(size, pools)
        self.input_shape = (in_channels, size, size)
        self.pools = pools
        self.transductive = norm == "batch"
        self.shape = (width, side, side)
        self.dim = width * side * side
        inputs = (in_channels, *[width] * (BLOCKS - 1))
        self.convolutions = nn.ModuleList(Convolution(channels, width) for channels in inputs)
        self.norms = nn.ModuleList(norm_layer(norm, width) for _ in inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Encode images `[n, in_channels, size, size]`: `[n, dim]`."""
        h = read_images(x, self.input_shape, self)
        for block, (convolution, norm) in enumerate(
            zip(self.convolutions, self.norms, strict=True)
        ):
            h = norm(convolution(h))
            h = F.relu(halve(h) if block < self.pools else h)
        return h.flatten(1)
