"""Graph isomorphism network, read at every layer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.encoders.base import Encoder, collate
from molmeta.graphs import GraphBatch, neighbour_sum
from molmeta.molecules import ATOM_SIZES, Molecules


class GIN(Encoder):
    r"""Graph isomorphism network.

    Xu, Hu, Leskovec, Jegelka: *How Powerful are Graph Neural Networks?* (ICLR 2019),
    https://arxiv.org/abs/1810.00826, equation 4.1:

    .. math:: h_v^{(l)} = \mathrm{ReLU}\,\mathrm{LN}\,\mathrm{MLP}^{(l)}\Big(
              (1 + \epsilon^{(l)})\, h_v^{(l-1)} + \sum_{u \in N(v)} h_u^{(l-1)}\Big)

    The output joins :math:`\log(1 + \sum_v h_v^{(l)})` of every layer l = 0..L, so that it reads
    like a learned fingerprint: how much of each kind of environment, at each radius.

    Parameters
    ----------
    width : int
        Channels of a layer.
    layers : int
        Number L of rounds of messages.

    Returns
    -------
    Tensor
        `[n, (layers + 1) · width]`.

    Differences from the paper
    --------------------------
    LayerNorm in place of BatchNorm, so that a molecule's vector does not depend on its batch;
    the logarithm of the pooled counts, as sums grow with the size of a molecule.
    """

    blocks = ("graph",)

    def __init__(self, width: int = 64, layers: int = 4) -> None:
        super().__init__()
        self.dim = (layers + 1) * width
        self.embed = nn.Linear(sum(ATOM_SIZES.values()), width)
        self.eps = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in range(layers))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))

    def forward(self, x: Molecules) -> Tensor:
        """Encode molecules: `[n, dim]`."""
        batch = collate(x, self.device)
        pooled = [neighbour_sum(h, batch.pool) for h in self.atom_states(batch)]
        return torch.log1p(torch.cat(pooled, dim=1))

    def atom_states(self, batch: GraphBatch) -> list[Tensor]:
        """Non-negative atom vectors `[atoms, width]` of every layer, the input's first."""
        table = self.embed(batch.atom_features.to(self.embed.weight.dtype))
        h = F.relu(neighbour_sum(table, batch.lookup))
        states = [h]
        for eps, mlp, norm in zip(self.eps, self.mlps, self.norms, strict=True):
            h = F.relu(norm(mlp((1 + eps) * h + neighbour_sum(h, batch.neighbours))))
            states.append(h)
        return states
