"""A network on counts of substructures and descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.encoders.base import Encoder
from molmeta.encoders.collation import collate_counts
from molmeta.encoders.features import Features, read_block
from molmeta.molecules import FINGERPRINTS, Molecules, neighbour_sum


class FingerprintNetwork(Encoder):
    """log(1 + counts) and descriptors through two layers, each with LayerNorm and ReLU.

    The first layer reads sparse counts: a molecule has some fifty of 2,048 columns of a
    fingerprint, and only their weights are looked up.

    Parameters
    ----------
    hidden, dim : int
        Widths of the first layer and of the output.
    dropout : float
        Probability of dropping a hidden unit in training.
    blocks : sequence of str
        Of `Features`: fingerprints, of which the logarithm is taken, and descriptors.
    middle : int
        Residual layers of the first one's width between the two, each
        h + Dropout ReLU LN Linear(h).
    vector_dropout : float
        Probability of dropping an entry of the output in training.

    Returns
    -------
    Tensor
        `[n, dim]`.
    """

    def __init__(
        self,
        hidden: int = 512,
        dim: int = 256,
        dropout: float = 0.0,
        blocks: Sequence[str] = ("ecfp4", "descriptors"),
        middle: int = 0,
        vector_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.counted = tuple(name for name in blocks if name in FINGERPRINTS)
        self.others = tuple(name for name in blocks if name not in FINGERPRINTS)
        self.blocks, self.dim = (*self.counted, *self.others), dim
        self.network = nn.Sequential(
            nn.Linear(Features(self.blocks).dim, hidden),
            *_after(hidden, dropout),
            nn.Linear(hidden, dim),
            nn.LayerNorm(dim),
            nn.Dropout(vector_dropout),
        )
        self.middle = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), *_after(hidden, dropout))
            for _ in range(middle)
        )

    def forward(self, x: Molecules) -> Tensor:
        """Encode molecules: `[n, dim]`."""
        h = self.network[1:4](self._first(x))
        for part in self.middle:
            h = h + part(h)
        return self.network[4:](h)

    def _first(self, x: Molecules) -> Tensor:
        """The first layer, whose first columns are those of the counts."""
        first: Any = self.network[0]
        rows = [read_block(x, name) for name in self.others]
        others = torch.cat([torch.empty(len(x), 0), *rows], dim=1).to(first.weight)
        columns = first.in_features - others.shape[1]
        h = F.linear(others, first.weight[:, columns:], first.bias)
        if not self.counted:
            return h
        counts = collate_counts(x, self.counted).to(h.device, h.dtype)
        return h + neighbour_sum(first.weight[:, :columns].T, counts)


def _after(width: int, dropout: float) -> list[nn.Module]:
    return [nn.LayerNorm(width), nn.ReLU(), nn.Dropout(dropout)]
