"""Encoders whose layers have weights that one small network makes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.encoders.conv4 import BLOCKS, Conv4
from molmeta.encoders.convolution import check_positive
from molmeta.encoders.gin import GIN


class KernelGenerator(nn.Module):
    r"""The static hypernetwork: the embedding of a layer to the kernel of that layer.

    Ha, Dai, Le: *HyperNetworks* (ICLR 2017), https://arxiv.org/abs/1609.09106, section 3.1,
    equation 2. Layer j has a learned embedding :math:`z^j`; two linear layers, shared by all j,
    make the part of its kernel that reads the input channel i:

    .. math:: a_i^j = W_i z^j + B_i, \qquad
              K_i^j = W_{out}\, a_i^j + B_{out} \in \mathbb{R}^{N_{out} \cdot f \cdot f}

    A kernel, seen as a matrix of `channels` rows :math:`K_i`, has at most the rank `rank` + 1.

    Parameters
    ----------
    channels, kernel_size : int
        Channels of a layer, as many in as out, and the side f of its kernel.
    embedding, rank : int
        Widths of z and of a.

    Attributes
    ----------
    rows : nn.Linear
        W_i and B_i of all i: `[channels · rank, embedding]`, `[channels · rank]`.
    kernel : nn.Linear
        W_out and B_out: `[channels · f · f, rank]`, `[channels · f · f]`.

    Raises
    ------
    ConfigError
        A number is below 1.

    Differences from the paper
    --------------------------
    All kernels have one size; the paper puts larger ones together from several of a basic size,
    each with an embedding of its own. At the start biases are 0 and the other weights normal, of
    such a size that the entries of a kernel have the variance 1 / (3 · channels · f²), as those of
    torch's own layers.
    """

    def __init__(self, channels: int, kernel_size: int, embedding: int = 16, rank: int = 16):
        super().__init__()
        check_positive(channels=channels, kernel_size=kernel_size, embedding=embedding, rank=rank)
        self.channels, self.kernel_size = channels, kernel_size
        self.embedding, self.rank = embedding, rank
        self.rows = nn.Linear(embedding, channels * rank)
        self.kernel = nn.Linear(rank, channels * kernel_size**2)
        nn.init.normal_(self.rows.weight, std=embedding**-0.5)
        nn.init.normal_(self.kernel.weight, std=(3 * rank * channels * kernel_size**2) ** -0.5)
        nn.init.zeros_(self.rows.bias)
        nn.init.zeros_(self.kernel.bias)

    def forward(self, z: Tensor) -> Tensor:
        """The embedding `[embedding]` of a layer to its kernel `[channels, channels, f, f]`.

        The output channel comes first, as in torch.
        """
        a = self.rows(z).view(self.channels, self.rank)
        f = self.kernel_size
        return self.kernel(a).view(self.channels, self.channels, f, f).transpose(0, 1)


class _Generated(nn.Module):
    """A layer with an embedding in place of a kernel."""

    def __init__(self, generator: KernelGenerator) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(generator.embedding))
        self._generator = (generator,)  # in a tuple: its parameters are the encoder's, once

    @property
    def weight(self) -> Tensor:
        """The kernel `[channels, channels, f, f]`."""
        return self._generator[0](self.embedding)


class GeneratedConvolution(_Generated):
    """`Convolution` with a generated kernel."""

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels, H, W]` to the same shape, with the channels last in memory."""
        weight = self.weight.contiguous(memory_format=torch.channels_last)
        return F.conv2d(x, weight, padding="same")


class GeneratedLinear(_Generated):
    """A linear layer with a generated weight (f = 1) and a learned bias."""

    def __init__(self, generator: KernelGenerator) -> None:
        super().__init__(generator)
        self.bias = nn.Parameter(torch.zeros(generator.channels))

    def forward(self, x: Tensor) -> Tensor:
        """`[n, channels]` to the same shape."""
        return F.linear(x, self.weight[:, :, 0, 0], self.bias)


class HyperConv4(Conv4):
    """`Conv4` whose layers have kernels made by one `KernelGenerator`, but for the first.

    Ha, Dai, Le: *HyperNetworks* (ICLR 2017), https://arxiv.org/abs/1609.09106, section 3.1. The
    first layer, of another shape, and the norms are learned as usual. What it returns and raises
    is as for `Conv4`.

    Parameters
    ----------
    width, in_channels, size, pools, norm
        As for `Conv4`.
    embedding, rank : int
        As for `KernelGenerator`.

    Returns
    -------
    Tensor
        `[n, dim]`, the maps of `shape` in a row.

    Differences from the paper
    --------------------------
    Its networks are one with two convolutions and a wide residual one.
    """

    def __init__(
        self,
        width: int = 64,
        in_channels: int = 1,
        size: int = 28,
        pools: int = BLOCKS,
        norm: str = "group",
        embedding: int = 16,
        rank: int = 16,
    ) -> None:
        super().__init__(width, in_channels, size, pools, norm)
        self.generator = KernelGenerator(width, 3, embedding, rank)
        for block in range(1, BLOCKS):
            self.convolutions[block] = GeneratedConvolution(self.generator)


class HyperGIN(GIN):
    """`GIN` whose MLPs have weights made by one `KernelGenerator`.

    Ha, Dai, Le: *HyperNetworks* (ICLR 2017), https://arxiv.org/abs/1609.09106, section 3.1, with
    kernels of side 1. The embedding of atoms, biases, ε and norms are learned as usual.

    Parameters
    ----------
    width, layers, bonds, precision
        As for `GIN`.
    embedding, rank : int
        As for `KernelGenerator`.

    Returns
    -------
    Tensor
        `[n, (layers + 1) · width]`.

    Differences from the paper
    --------------------------
    Its static form makes kernels of convolutions, not of a graph network.
    """

    def __init__(
        self,
        width: int = 64,
        layers: int = 4,
        embedding: int = 16,
        rank: int = 16,
        bonds: bool = False,
        precision: str = "float32",
    ) -> None:
        super().__init__(width, layers, bonds, precision)
        self.generator = KernelGenerator(width, 1, embedding, rank)
        self.mlps = nn.ModuleList(
            nn.Sequential(
                GeneratedLinear(self.generator), nn.ReLU(), GeneratedLinear(self.generator)
            )
            for _ in range(layers)
        )
