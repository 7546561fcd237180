"""Feature blocks, and beside them what a network expects of any assay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from molmeta import registry
from molmeta.encoders.base import Encoder
from molmeta.encoders.features import Features, read_blocks
from molmeta.encoders.joined import Joined
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
    vector : mapping, optional
        A second one, that stays as it is (`whitened`). Its vector is read beside the network's, and
        is itself in the row, as the column `vector`. An `encoder_from` gives its weights.

    Returns
    -------
    Tensor
        `[n, sum of widths + 1]` float32; with `vector`, its width more.
    """

    def __init__(
        self,
        blocks: Sequence[str],
        network: Mapping[str, Any] = NETWORK,
        vector: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(blocks)
        if vector is None:
            self.network: Encoder = registry.make("encoder", network)
        else:
            self.network = Joined([network, vector])
        self.prior = nn.Linear(self.network.dim, 1, bias=False)  # a constant ranks nothing
        self.width = int(self.network.parts[1].dim) if vector else 0  # type: ignore[index,arg-type]
        if vector:
            self._add("vector", self.width)
        self._add("prior", 1)
        self.shown = self.blocks
        self.blocks = tuple(dict.fromkeys([*self.shown, *self.network.blocks]))

    def _add(self, name: str, width: int) -> None:
        self.columns[name] = slice(self.dim, self.dim + width)
        self.dim += width

    def forward(self, x: Molecules) -> Tensor:
        """Look the blocks up, and compute the column: `[n, dim]`."""
        h = self.network(x)
        rows = read_blocks(x, self.shown, more=self.width + 1).to(h)
        rows[:, -1 - self.width : -1] = h[:, h.shape[1] - self.width :]
        rows[:, -1:] = self.prior(h)
        return rows

    def begin_with(self, *encoders: nn.Module) -> None:
        """Take the weights of `vector`, where there is one; else, all, of an encoder alike."""
        if self.width:
            self.network.parts[1].begin_with(*encoders)  # type: ignore[index,operator]
        else:
            super().begin_with(*encoders)
