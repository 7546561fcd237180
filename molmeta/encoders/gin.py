"""Graph isomorphism network, read at every layer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.encoders.base import Encoder
from molmeta.encoders.collation import collate
from molmeta.errors import ConfigError
from molmeta.molecules import ATOM_SIZES, BOND_SIZES, GraphBatch, Molecules, neighbour_sum


class GIN(Encoder):
    r"""Graph isomorphism network.

    Xu, Hu, Leskovec, Jegelka: *How Powerful are Graph Neural Networks?* (ICLR 2019),
    https://arxiv.org/abs/1810.00826, equation 4.1:

    .. math:: h_v^{(l)} = \mathrm{ReLU}\,\mathrm{LN}\,\mathrm{MLP}^{(l)}\Big(
              (1 + \epsilon^{(l)})\, h_v^{(l-1)} + \sum_{u \in N(v)}
              \big(h_u^{(l-1)} + b^{(l)}_{uv}\big)\Big)

    where b, a learned vector for each kind of bond, is there with `bonds` (Hu et al., *Strategies
    for Pre-training Graph Neural Networks*, ICLR 2020, https://arxiv.org/abs/1905.12265, appendix
    A). A layer is computed once for each distinct environment of an atom
    (`molecules/environments.py`).

    The output joins :math:`\log(1 + \sum_v h_v^{(l)})` of every layer l = 0..L, so that it reads
    like a learned fingerprint: how much of each kind of environment, at each radius. A
    `bottleneck`, two layers on all of it, stands behind it: what training tasks have in common.

    Parameters
    ----------
    width : int
        Channels of a layer.
    layers : int
        Number L of rounds of messages.
    bonds : bool
        Messages tell the kind of bond.
    bottleneck : int
        Width of the bottleneck; 0 for none.
    dropout : float
        Share of what the bottleneck reads, and of its hidden units, that is zero in training.
    precision : str
        `bf16` for the matrix products of the layers; weights and all else stay in float32.

    Returns
    -------
    Tensor
        `[n, (layers + 1) · width + bottleneck]`.

    Raises
    ------
    ConfigError
        There is no such precision.

    Differences from the paper
    --------------------------
    LayerNorm in place of BatchNorm, so that a molecule's vector does not depend on its batch;
    the logarithm of the pooled counts, as sums grow with the size of a molecule.
    """

    blocks = ("graph",)

    def __init__(
        self,
        width: int = 64,
        layers: int = 4,
        bonds: bool = False,
        precision: str = "float32",
        bottleneck: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if precision not in ("float32", "bf16"):
            raise ConfigError(f"there is no precision '{precision}'; there is: bf16, float32")
        self.bf16 = precision == "bf16"
        read = (layers + 1) * width
        self.dim, self.non_negative = read + bottleneck, not bottleneck
        self.embed = nn.Linear(sum(ATOM_SIZES.values()), width)
        self.eps = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in range(layers))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.bonds = nn.ModuleList(
            nn.Linear(sum(BOND_SIZES.values()), width, bias=False)
            for _ in range(layers if bonds else 0)
        )
        self.bottleneck = _bottleneck(read, bottleneck, dropout) if bottleneck else None

    def forward(self, x: Molecules) -> Tensor:
        """Encode molecules: `[n, dim]`."""
        batch = collate(x, self.device, len(self.mlps), typed=len(self.bonds) > 0)
        states = self.environment_states(batch)
        pooled = [neighbour_sum(h, pool) for h, pool in zip(states, batch.pools, strict=True)]
        read = torch.log1p(torch.cat(pooled, dim=1))
        return read if self.bottleneck is None else torch.cat([read, self.bottleneck(read)], dim=1)

    def environment_states(self, batch: GraphBatch) -> list[Tensor]:
        """Non-negative vectors `[K_l, width]` of the environments of every layer, from 0."""
        h = F.relu(self.embed(batch.atom_features.to(self.embed.weight.dtype)))
        states = [h]
        for layer, part in enumerate(batch.rounds):
            messages = neighbour_sum(h, part.neighbours)
            if self.bonds:
                kinds = self.bonds[layer](batch.bond_features.to(h.dtype))
                messages = messages + neighbour_sum(kinds, part.bonds)
            h = self.mix(layer, (1 + self.eps[layer]) * h[part.own] + messages)
            states.append(h := F.relu(self.norms[layer](h)))
        return states

    def mix(self, layer: int, h: Tensor) -> Tensor:
        """The MLP of a layer, in the encoder's precision; the result in that of `h`."""
        with torch.autocast(h.device.type, torch.bfloat16, enabled=self.bf16):
            return self.mlps[layer](h).to(h.dtype)


def _bottleneck(read: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *(nn.LayerNorm(read), nn.Dropout(dropout), nn.Linear(read, 2 * width)),
        *(nn.LayerNorm(2 * width), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(2 * width, width), nn.LayerNorm(width)),
    )
