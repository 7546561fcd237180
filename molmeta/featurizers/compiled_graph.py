"""The `graph` block from flat arrays: distinct atoms and bonds are put into categories once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from rdkit import Chem

from molmeta.featurizers.binary_molecules import BOND_NUMBERS, DOUBLE, FlatMolecules, fields
from molmeta.featurizers.graph import atom_number, bond_code, graphs, handedness
from molmeta.molecules import Graphs

HANDS = ("", "R", "S")
STEREO = 8  # RDKit's numbers of bond stereo


def graph_block(mols: Sequence[Chem.Mol], flat: FlatMolecules) -> Graphs:
    """Graphs as `GraphFeaturizer` makes them; RDKit says which centres are R and which S."""
    count, bond_count = flat.atoms[-1], flat.bonds[-1]
    hands = np.zeros(count, dtype=np.int64)
    chiral = np.flatnonzero(flat.chiral[:count])
    owner = np.searchsorted(flat.atoms, chiral, side="right") - 1
    for i in np.unique(owner):
        first = flat.atoms[i]
        for place, hand in handedness(mols[int(i)], (chiral[owner == i] - first).tolist()).items():
            hands[first + place] = HANDS.index(hand) if hand in HANDS else 0
    parts = (flat.key[:count], flat.smallest[:count], flat.rings[:count], hands)
    return graphs(
        _atom_numbers(*(part.astype(np.int64) for part in parts)),
        flat.ends[:bond_count],
        _bond_codes()[
            flat.kind[:bond_count],
            flat.stereo[:bond_count],
            flat.conjugated[:bond_count],
            flat.in_ring[:bond_count],
        ],
        flat.atoms,
        flat.bonds,
    )


def _atom_numbers(
    key: np.ndarray, smallest: np.ndarray, rings: np.ndarray, hands: np.ndarray
) -> np.ndarray:
    codes, keys = pd.factorize(key)
    distinct, found = pd.factorize(
        ((codes * 256 + smallest) * 256 + rings) * len(HANDS) + hands,
    )
    of, hand = np.divmod(found, len(HANDS))
    of, ring_count = np.divmod(of, 256)
    kind, size = np.divmod(of, 256)
    said = fields(keys[kind])
    columns = (
        *(said["number"], said["degree"], said["charge"]),
        said["explicit hydrogens"] + said["implicit hydrogens"],
        [Chem.HybridizationType.values[h] for h in said["hybridisation"].tolist()],
        said["aromatic"],
        *(size, ring_count, [HANDS[h] for h in hand]),
    )
    numbers = [atom_number(raw) for raw in zip(*columns, strict=True)]
    return np.array(numbers, dtype=np.int64)[distinct]


def _bond_codes() -> np.ndarray:
    """`bond_code` by code, stereo, conjugation and ring."""
    table = np.zeros((len(BOND_NUMBERS), STEREO, 2, 2), dtype=np.uint8)
    for code, stereo, conjugated, in_ring in np.ndindex(table.shape):
        kind = Chem.BondType.values[BOND_NUMBERS[code]]
        shown = Chem.BondStereo.values[stereo] if code == DOUBLE else None
        table[code, stereo, conjugated, in_ring] = bond_code((kind, shown, conjugated, in_ring))
    return table
