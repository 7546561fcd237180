"""The gated graph network of Nguyen et al. 2020."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from molmeta.encoders.base import Encoder
from molmeta.encoders.collation import collate
from molmeta.molecules import ATOM_WIDTHS, Molecules, neighbour_sum

BLOCK = "atoms75"
WIDTH = ATOM_WIDTHS[BLOCK]


class GatedLayer(nn.Module):
    r"""One gated graph convolution; all that it needs of a molecule is in a `molecules.Round`.

    .. math::
        m = \mathrm{ReLU}((A + I) H W + b), \qquad
        H' = (1 - z) \odot \tanh(m W_n + r \odot (H U_n)) + z \odot H

    with the gates r and z of a GRU (Cho et al. 2014) on m and H.

    Weights start uniform, within Xavier's bound √(6 / (fan in + fan out)): of each gate .2; of
    messages .0324, as the release keeps W in a tensor (1, 75, 75), of which torch takes 75 · 75 and
    75 for the fans. It matters: sums over neighbours and atoms saturate what follows them, if W
    starts at .2. Biases start at zero.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.message = nn.Linear(width, width)
        self.of_message = nn.Linear(width, 3 * width)
        self.of_state = nn.Linear(width, 3 * width)
        _uniform(self.message.weight, math.sqrt(6 / (width * width + width)))
        for gates in (self.of_message, self.of_state):
            _uniform(gates.weight, math.sqrt(6 / (width + width)))
        for linear in (self.message, self.of_message, self.of_state):
            nn.init.zeros_(linear.bias)

    def forward(self, own: Tensor, neighbours: Tensor) -> Tensor:
        """States `[K, width]` and the sums of their neighbours' to new states."""
        message = F.relu(self.message(own + neighbours))
        m_r, m_z, m_n = self.of_message(message).chunk(3, dim=1)
        h_r, h_z, h_n = self.of_state(own).chunk(3, dim=1)
        r, z = torch.sigmoid(m_r + h_r), torch.sigmoid(m_z + h_z)
        return (1 - z) * torch.tanh(m_n + r * h_n) + z * own


class GGNN(Encoder):
    r"""Gated graph network: :math:`\tanh(W \sum_v h_v^{(L)} + b)`.

    Li, Tarlow, Brockschmidt, Zemel: *Gated Graph Sequence Neural Networks* (ICLR 2016),
    https://arxiv.org/abs/1511.05493, in the form of Nguyen et al., *Meta-Learning Initializations
    for Low-Resource Drug Discovery* (2020), https://arxiv.org/abs/2003.05996: the 75 features of
    an atom (`featurizers/atoms75.py`) are its first state, each of the layers has weights of its
    own, bonds have no kind. With one output on it, it has 358,149 parameters. A layer is computed
    once for each distinct environment of an atom (`molecules/environments.py`).

    Parameters
    ----------
    layers : int
        Number L of gated graph convolutions.
    dim : int
        Width of the layer behind the sum over atoms.
    dropout : float
        Share of the states, after each layer, that is set to zero in training.

    Returns
    -------
    Tensor
        `[n, dim]`.

    Differences from the paper
    --------------------------
    Dropout, where it is asked for, draws once for all atoms of a batch that have the same
    environment.
    """

    blocks = (BLOCK,)

    def __init__(self, layers: int = 7, dim: int = 1024, dropout: float = 0.0) -> None:
        super().__init__()
        self.dim = dim
        self.layers = nn.ModuleList(GatedLayer(WIDTH) for _ in range(layers))
        self.readout = nn.Linear(WIDTH, dim)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)

    def forward(self, x: Molecules) -> Tensor:
        """Encode molecules: `[n, dim]`."""
        batch = collate(x, self.device, len(self.layers), block=BLOCK)
        h = batch.atom_features.to(self.readout.weight.dtype)
        for layer, part in zip(self.layers, batch.rounds, strict=True):
            h = self.dropout(layer(h[part.own], neighbour_sum(h, part.neighbours)))
        pooled = neighbour_sum(h, batch.pools[-1])
        return self.dropout(torch.tanh(self.readout(pooled)))


def _uniform(weight: Tensor, bound: float) -> None:
    nn.init.uniform_(weight, -bound, bound)
