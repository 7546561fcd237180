"""What every encoder is, and the collation of molecules into a graph batch."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from molmeta.episode import Inputs
from molmeta.graphs import Csr, GraphBatch
from molmeta.molecules import Graphs, Molecules


class Encoder(nn.Module):
    """Inputs `[n, ...]` to vectors `[n, dim]`.

    Attributes
    ----------
    dim : int
        Width of the output.
    shape : tuple of int, optional
        (C, H, W) with C · H · W = dim, where a learner may see the output as feature maps.
    blocks : tuple of str
        The feature blocks that it reads of `Molecules` (to compute them ahead).
    transductive : bool
        A row depends on the rows that are encoded with it.
    """

    dim: int
    shape: tuple[int, int, int] | None = None
    blocks: tuple[str, ...] = ()
    transductive: bool = False

    @abstractmethod
    def forward(self, x: Inputs) -> Tensor:
        """Encode `n` inputs: `[n, dim]`."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are (the CPU if there are none)."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))


def collate(x: Molecules, device: torch.device) -> GraphBatch:
    """The molecules of a view as a `GraphBatch` on `device`; kept with the view."""
    key = ("graph batch", str(device))
    if key not in x.memo:
        x.memo[key] = _graph_batch(x.block("graph").take(x.index)).to(device)
    return x.memo[key]


def _graph_batch(graphs: Graphs) -> GraphBatch:
    atoms, molecules = len(graphs.atom_code), len(graphs)
    owner = np.repeat(np.arange(molecules), np.diff(graphs.atom_offsets))
    first_atom = np.repeat(graphs.atom_offsets[:-1], np.diff(graphs.bond_offsets))
    bonds = graphs.bonds.astype(np.int32) + first_atom[:, None]
    ends = np.concatenate([bonds, bonds[:, ::-1]])
    return GraphBatch(
        atom_features=torch.from_numpy(graphs.atom_features()),
        lookup=Csr.from_pairs(np.arange(atoms), graphs.atom_code, (atoms, len(graphs.atom_table))),
        neighbours=Csr.from_pairs(ends[:, 0], ends[:, 1], (atoms, atoms)),
        pool=Csr.from_pairs(owner, np.arange(atoms), (molecules, atoms)),
    )
