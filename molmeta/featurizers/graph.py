"""Molecular graphs: categories of atoms and bonds in flat arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rdkit import Chem

from molmeta.errors import MolmetaError
from molmeta.molecules import ATOM_SIZES, Graphs

ELEMENTS = (1, 5, 6, 7, 8, 9, 11, 14, 15, 16, 17, 19, 34, 35, 53)  # the last category: any other
HYBRIDISATIONS = (
    Chem.HybridizationType.S,
    Chem.HybridizationType.SP,
    Chem.HybridizationType.SP2,
    Chem.HybridizationType.SP3,
    Chem.HybridizationType.SP3D,
    Chem.HybridizationType.SP3D2,
)
BOND_TYPES = (
    Chem.BondType.SINGLE,
    Chem.BondType.DOUBLE,
    Chem.BondType.TRIPLE,
    Chem.BondType.AROMATIC,
)
STEREO = {  # E and trans, Z and cis; none and unknown
    Chem.BondStereo.STEREOZ: 1,
    Chem.BondStereo.STEREOCIS: 1,
    Chem.BondStereo.STEREOE: 2,
    Chem.BondStereo.STEREOTRANS: 2,
}

_ELEMENT = {number: i for i, number in enumerate(ELEMENTS)}
_HYBRIDISATION = {kind: i for i, kind in enumerate(HYBRIDISATIONS)}
_BOND_TYPE = {kind: i for i, kind in enumerate(BOND_TYPES)}

_DEGREE, _CHARGE, _HYDROGENS = (ATOM_SIZES[k] - 1 for k in ("degree", "charge", "hydrogens"))
MAX_ATOMS = np.iinfo(np.int16).max

Row = tuple[list[tuple[int, ...]], list[tuple[int, int]], list[int]]


def atom_categories(raw: tuple[Any, ...]) -> tuple[int, ...]:
    """The categories of `ATOM_SIZES`, in its order, of what RDKit says of an atom.

    Charges are kept from −2 to +2, degrees to 6 and hydrogens to 4; beyond counts as the end.
    """
    number, degree, charge, hydrogens, hybridisation, aromatic, ring = raw
    return (
        _ELEMENT.get(number, len(ELEMENTS)),
        min(degree, _DEGREE),
        min(max(charge + 2, 0), _CHARGE),
        min(hydrogens, _HYDROGENS),
        _HYBRIDISATION.get(hybridisation, len(HYBRIDISATIONS)),
        int(aromatic),
        int(ring),
    )


def bond_code(raw: tuple[Any, ...]) -> int:
    """The categories of `BOND_SIZES` as one mixed-radix number: type, conjugated, ring, E/Z."""
    kind, stereo, conjugated, ring = raw
    code = _BOND_TYPE.get(kind, len(BOND_TYPES))
    return ((code * 2 + conjugated) * 2 + ring) * 3 + STEREO.get(stereo, 0)


class _Seen(dict[tuple[Any, ...], Any]):
    """What a function makes of the few distinct values that it is asked for."""

    def __init__(self, function: Callable[[tuple[Any, ...]], Any]) -> None:
        super().__init__()
        self.function = function

    def __missing__(self, raw: tuple[Any, ...]) -> Any:
        self[raw] = value = self.function(raw)
        return value


_ATOMS, _BONDS = _Seen(atom_categories), _Seen(bond_code)


class GraphFeaturizer:
    """The `graph` block: seven categories an atom, four a bond.

    Heavy atoms are nodes. Tetrahedral stereo is not part of the graph: two enantiomers are equal.
    """

    def row(self, mol: Chem.Mol) -> Row:
        """Categories of the atoms, pairs of bonded atoms, and codes of the bonds."""
        if not 0 < mol.GetNumAtoms() <= MAX_ATOMS:
            raise MolmetaError(f"a molecule has {mol.GetNumAtoms()} atoms; 1 to {MAX_ATOMS} work")
        atoms = [
            _ATOMS[
                atom.GetAtomicNum(),
                atom.GetDegree(),
                atom.GetFormalCharge(),
                atom.GetTotalNumHs(),
                atom.GetHybridization(),
                atom.GetIsAromatic(),
                atom.IsInRing(),
            ]
            for atom in mol.GetAtoms()
        ]
        pairs, codes = [], []
        for bond in mol.GetBonds():
            pairs.append((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
            codes.append(
                _BONDS[
                    bond.GetBondType(), bond.GetStereo(), bond.GetIsConjugated(), bond.IsInRing()
                ]
            )
        return atoms, pairs, codes

    def collect(self, rows: list[Row]) -> Graphs:
        """All rows in flat arrays."""
        known: dict[tuple[int, ...], int] = {}
        code = [known.setdefault(atom, len(known)) for atoms, _, _ in rows for atom in atoms]
        pairs = [pair for _, bonds, _ in rows for pair in bonds]
        return Graphs(
            atom_table=np.array(list(known), dtype=np.uint8).reshape(-1, len(ATOM_SIZES)),
            atom_code=np.array(code, dtype=np.uint16),
            atom_offsets=_offsets([len(atoms) for atoms, _, _ in rows]),
            bonds=np.array(pairs, dtype=np.int16).reshape(-1, 2),
            bond_code=np.array([c for _, _, codes in rows for c in codes], dtype=np.uint8),
            bond_offsets=_offsets([len(bonds) for _, bonds, _ in rows]),
        )


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32)
