"""Feature blocks, and beside them what a network expects of any assay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from molmeta import registry
from molmeta.encoders.base import Encoder
from molmeta.encoders.features import Features, read_blocks
from molmeta.molecules import Molecules

NETWORK = MappingProxyType({"name": "fingerprint", "hidden": 1024, "dim": 512, "dropout": 0.3})


class FeaturesWithPrior(Features):
    """`Features`, with one more column, `prior`: a linear function of a network's vector.

    `MultiTask` trains the network on many assays at once; the column is then the mean of their
    heads.

    Parameters
    ----------
    blocks : sequence of str
        Of `Features`.
    network : mapping
        The network's registered name and options, such as `{"name": "gin", "width": 128}`; by
        default a `FingerprintNetwork`.

    Returns
    -------
    Tensor
        `[n, sum of widths + 1]` float32.
    """

    def __init__(self, blocks: Sequence[str], network: Mapping[str, Any] = NETWORK) -> None:
        super().__init__(blocks)
        self.network: Encoder = registry.make("encoder", network)
        self.prior = nn.Linear(self.network.dim, 1, bias=False)  # a constant ranks nothing
        self.shown = self.blocks
        self.columns["prior"] = slice(self.dim, self.dim + 1)
        self.blocks = tuple(dict.fromkeys([*self.shown, *self.network.blocks]))
        self.dim += 1

    def forward(self, x: Molecules) -> Tensor:
        """Look the blocks up, and compute the column: `[n, dim]`."""
        prior = self.prior(self.network(x))
        rows = read_blocks(x, self.shown, more=1).to(prior)
        rows[:, -1:] = prior
        return rows
