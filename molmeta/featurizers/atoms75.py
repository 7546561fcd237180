"""The 75 atom features of Nguyen et al. 2020, with RDKit in place of OpenEye's toolkit."""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from rdkit import Chem

from molmeta.featurizers.graph import check_size
from molmeta.molecules import ATOM_WIDTHS, FeatureGraphs, row_offsets

SYMBOLS = tuple(
    "C N O S F Si P Cl Br Mg Na Ca Fe As Al I B V K Tl Yb Sb Sn Ag Pd Co Se Ti Zn H Li Ge Cu Au "
    "Ni Cd In Mn Zr Cr Pt Hg Pb".split()
)  # the 44th: any other
HYBRIDISATIONS = (  # the first: any other
    Chem.HybridizationType.SP,
    Chem.HybridizationType.SP2,
    Chem.HybridizationType.SP3,
    Chem.HybridizationType.SP3D,
    Chem.HybridizationType.SP3D2,
)
SIZES = {
    "symbol": len(SYMBOLS) + 1,
    "degree": 11,
    "implicit hydrogens": 7,
    "charge": 1,
    "hybridisation": len(HYBRIDISATIONS) + 1,
    "aromatic": 1,
    "explicit hydrogens": 5,
}
WIDTH = ATOM_WIDTHS["atoms75"]
assert sum(SIZES.values()) == WIDTH

Row = tuple[list[tuple[int, ...]], list[int], list[int]]  # features of the atoms; begins, ends


class Atoms75:
    """The `atoms75` block: 75 features an atom, and which atoms are bound; bonds have no kind.

    Nguyen et al., *Meta-Learning Initializations for Low-Resource Drug Discovery* (2020),
    https://arxiv.org/abs/2003.05996, as released: symbol (44, the last is any other) | degree
    (0–10) | implicit hydrogens (0–6) | formal charge | hybridisation (unknown, sp, sp2, sp3, sp3d,
    sp3d2) | aromatic | explicit hydrogens (0–4). These are not DeepChem's 75.

    Differences from the release, which reads SMILES with OpenEye's OEChem
    ----------------------------------------------------------------------
    - Hydrogens: to OEChem all that are no atoms of the graph are implicit, those written in
      brackets too (`[nH]`, `[C@@H]`). RDKit's "implicit" leaves these out, so its *total* is read
      here. Explicit ones are neighbours in the graph: isotopes such as `[2H]`.
    - Hybridisation: OEChem's follows from an atom's own bonds; RDKit's N and O beside a double bond
      or an aromatic ring (amides, anilines, esters) are sp2.
    - Aromaticity: RDKit's own model in place of OEChem's; both follow Hückel's rule and differ in
      some rings with exocyclic double bonds, charges, or atoms such as Te and B.
    - Charges are read as written; OEChem assigns them anew from valences. What that would mend,
      such as a neutral nitrogen with four bonds, RDKit refuses to read.
    - What the release refuses is counted as the end of its range: more than 10 neighbours (10), any
      other hybridisation (unknown).
    """

    def row(self, mol: Chem.Mol) -> Row:
        """The 75 numbers of each atom; begins and ends of the bonds."""
        check_size(mol)
        atoms = [atom_features(*_raw(atom)) for atom in mol.GetAtoms()]
        ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
        return atoms, [a for a, _ in ends], [b for _, b in ends]

    def collect(self, rows: list[Row]) -> FeatureGraphs:
        """All rows in flat arrays."""
        number: dict[tuple[int, ...], int] = {}
        codes = [[number.setdefault(atom, len(number)) for atom in atoms] for atoms, _, _ in rows]
        begins, ends = (list(chain.from_iterable(row[k] for row in rows)) for k in (1, 2))
        return FeatureGraphs(
            atom_table=np.array(list(number), dtype=np.int8).reshape(-1, WIDTH),
            atom_code=np.fromiter(chain.from_iterable(codes), dtype=np.uint16),
            atom_offsets=row_offsets([len(row) for row in codes]).astype(np.int32),
            bonds=np.array([begins, ends], dtype=np.int16).T.reshape(-1, 2),
            bond_code=np.zeros(len(begins), dtype=np.uint8),
            bond_offsets=row_offsets([len(row[1]) for row in rows]).astype(np.int32),
        )


@cache
def atom_features(
    symbol: str, degree: int, implicit: int, charge: int, kind: Any, aromatic: bool, explicit: int
) -> tuple[int, ...]:
    """The 75 numbers of an atom."""
    symbol_at = SYMBOLS.index(symbol) if symbol in SYMBOLS else len(SYMBOLS)
    kind_at = HYBRIDISATIONS.index(kind) + 1 if kind in HYBRIDISATIONS else 0
    return (
        *_one_hot(symbol_at, SIZES["symbol"]),
        *_one_hot(degree, SIZES["degree"]),
        *_one_hot(implicit, SIZES["implicit hydrogens"]),
        charge,
        *_one_hot(kind_at, SIZES["hybridisation"]),
        int(aromatic),
        *_one_hot(explicit, SIZES["explicit hydrogens"]),
    )


def _raw(atom: Chem.Atom) -> tuple[Any, ...]:
    hydrogens = sum(neighbour.GetAtomicNum() == 1 for neighbour in atom.GetNeighbors())
    return (
        atom.GetSymbol(),
        atom.GetDegree(),
        atom.GetTotalNumHs(),
        atom.GetFormalCharge(),
        atom.GetHybridization(),
        atom.GetIsAromatic(),
        hydrogens,
    )


def _one_hot(position: int, size: int) -> list[int]:
    return [int(k == min(position, size - 1)) for k in range(size)]
