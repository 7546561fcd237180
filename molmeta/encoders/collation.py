"""Molecules as networks read them: a graph batch, or a sparse matrix of counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_array, hstack

from molmeta.molecules import (
    BOND_CODES,
    Counts,
    Csr,
    Environments,
    GraphBatch,
    Graphs,
    Molecules,
    Round,
    ragged_rows,
)


def collate(
    x: Molecules, device: torch.device, radius: int, typed: bool = False, block: str = "graph"
) -> GraphBatch:
    """The molecules of a view as a `GraphBatch` on `device`; kept with the view.

    `radius` is the number of layers; with `typed`, environments differ by their bonds; `block`
    names the graphs that are read.
    """
    key = ("graph batch", str(device), radius, typed, block)
    if key not in x.memo:
        known = x.environments(radius, typed, block)
        x.memo[key] = _graph_batch(x, x.block(block), known).to(device)
    return x.memo[key]


def collate_counts(x: Molecules, blocks: Sequence[str]) -> Csr:
    """log(1 + counts) of fingerprints side by side, `[n, sum of widths]`; kept with the view."""
    key = ("counts", *blocks)
    if key not in x.memo:
        side_by_side = hstack([_logarithms(x, name) for name in blocks], format="csr")
        x.memo[key] = Csr.weighted(csr_array(side_by_side))
    return x.memo[key]


def _logarithms(x: Molecules, name: str) -> csr_array:
    block: Counts = x.block(name).take(x.index)
    values = np.log1p(block.counts.astype(np.float32))
    parts = (values, block.columns.astype(np.int32), block.offsets)
    return csr_array(parts, shape=(len(block), block.width))


def _graph_batch(x: Molecules, graphs: Graphs, known: Environments) -> GraphBatch:
    """From the largest radius down: which environments there are, and what they are made of.

    Numbered as they come, so that what is computed does not depend on the rest of the store.
    """
    atoms, offsets = ragged_rows(graphs.atom_offsets, x.index)
    of_atom, there = pd.factorize(known.atoms[atoms])
    rounds, pools = [], [Csr.from_rows(of_atom, offsets, len(there))]
    for part in reversed(known.rounds):
        entries, starts = ragged_rows(part.offsets, there)
        own, below = pd.factorize(part.own[there])
        position = np.empty(part.own.max() + 1, dtype=np.int32)
        position[below] = np.arange(len(below))
        rounds.append(
            Round(
                torch.from_numpy(own),
                Csr.from_rows(position[part.around[entries]], starts, len(below)),
                Csr.from_rows(part.bonds[entries], starts, BOND_CODES),
            )
        )
        of_atom, there = own[of_atom], below
        pools.append(Csr.from_rows(of_atom, offsets, len(there)))
    return GraphBatch(
        atom_features=torch.from_numpy(graphs.atom_features()[known.codes[there]]),
        bond_features=torch.from_numpy(graphs.bond_features()),
        rounds=rounds[::-1],
        pools=pools[::-1],
    )
