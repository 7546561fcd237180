"""A network on Morgan counts and descriptors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from molmeta.encoders.base import Encoder
from molmeta.encoders.features import read_block
from molmeta.molecules import BLOCK_WIDTHS, Molecules


class FingerprintNetwork(Encoder):
    """log(1 + Morgan counts) and descriptors through two layers, each with LayerNorm and ReLU.

    Parameters
    ----------
    hidden, dim : int
        Widths of the first layer and of the output.
    dropout : float
        Probability of dropping a hidden unit in training.

    Returns
    -------
    Tensor
        `[n, dim]`.
    """

    blocks = ("ecfp4", "descriptors")

    def __init__(self, hidden: int = 512, dim: int = 256, dropout: float = 0.0) -> None:
        super().__init__()
        self.dim = dim
        self.network = nn.Sequential(
            nn.Linear(sum(BLOCK_WIDTHS[name] for name in self.blocks), hidden),
            nn.LayerNorm(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
            nn.LayerNorm(dim),
        )

    def forward(self, x: Molecules) -> Tensor:
        """Encode molecules: `[n, dim]`."""
        counts = torch.log1p(read_block(x, "ecfp4"))
        rows = torch.cat([counts, read_block(x, "descriptors")], dim=1)
        weight = next(self.network.parameters())
        return self.network(rows.to(weight.device, weight.dtype))
