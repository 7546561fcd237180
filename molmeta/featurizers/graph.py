"""Molecular graphs: categories of atoms and bonds in flat arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
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
_ATOM_SIZES = tuple(ATOM_SIZES.values())
MAX_ATOMS = np.iinfo(np.int16).max

Row = tuple[list[int], list[int], list[int]]  # atoms, ends of bonds, bonds


def atom_number(raw: tuple[Any, ...]) -> int:
    """The categories of `ATOM_SIZES` as one mixed-radix number, of what RDKit says of an atom.

    Charges are kept from −2 to +2, degrees to 6 and hydrogens to 4; beyond counts as the end.
    """
    number, degree, charge, hydrogens, hybridisation, aromatic, ring = raw
    categories = (
        _ELEMENT.get(number, len(ELEMENTS)),
        min(degree, _DEGREE),
        min(max(charge + 2, 0), _CHARGE),
        min(hydrogens, _HYDROGENS),
        _HYBRIDISATION.get(hybridisation, len(HYBRIDISATIONS)),
        int(aromatic),
        int(ring),
    )
    return int(np.ravel_multi_index(categories, _ATOM_SIZES))


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


_ATOMS, _BONDS = _Seen(atom_number), _Seen(bond_code)

_OF_ATOM = (
    Chem.Atom.GetAtomicNum,
    Chem.Atom.GetDegree,
    Chem.Atom.GetFormalCharge,
    Chem.Atom.GetTotalNumHs,
    Chem.Atom.GetHybridization,
    Chem.Atom.GetIsAromatic,
    Chem.Atom.IsInRing,
)
_ENDS = (Chem.Bond.GetBeginAtomIdx, Chem.Bond.GetEndAtomIdx)
_OF_BOND = (
    Chem.Bond.GetBondType,
    Chem.Bond.GetStereo,
    Chem.Bond.GetIsConjugated,
    Chem.Bond.IsInRing,
)


class GraphFeaturizer:
    """The `graph` block: seven categories an atom, four a bond.

    Heavy atoms are nodes. Tetrahedral stereo is not part of the graph: two enantiomers are equal.
    """

    def row(self, mol: Chem.Mol) -> Row:
        """Numbers of the atoms, pairs of bonded atoms end to end, and codes of the bonds."""
        if not 0 < mol.GetNumAtoms() <= MAX_ATOMS:
            raise MolmetaError(f"a molecule has {mol.GetNumAtoms()} atoms; 1 to {MAX_ATOMS} work")
        atoms = [mol.GetAtomWithIdx(i) for i in range(mol.GetNumAtoms())]  # half the price of
        bonds = [mol.GetBondWithIdx(i) for i in range(mol.GetNumBonds())]  # GetAtoms, GetBonds
        numbers = [_ATOMS[raw] for raw in zip(*(map(get, atoms) for get in _OF_ATOM), strict=True)]
        codes = [_BONDS[raw] for raw in zip(*(map(get, bonds) for get in _OF_BOND), strict=True)]
        ends = [get(bond) for bond in bonds for get in _ENDS]
        return numbers, ends, codes

    def collect(self, rows: list[Row]) -> Graphs:
        """All rows in flat arrays."""
        numbers, ends, codes = zip(*rows, strict=True) if rows else ((), (), ())
        code, known = pd.factorize(_flat(numbers, np.int64))
        return Graphs(
            atom_table=np.stack(np.unravel_index(known, _ATOM_SIZES), axis=1).astype(np.uint8),
            atom_code=code.astype(np.uint16),
            atom_offsets=_offsets(numbers),
            bonds=_flat(ends, np.int16).reshape(-1, 2),
            bond_code=_flat(codes, np.uint8),
            bond_offsets=_offsets(codes),
        )


def _flat(rows: Sequence[list[int]], kind: type[np.integer]) -> np.ndarray:
    return np.fromiter(chain.from_iterable(rows), dtype=kind)


def _offsets(rows: Sequence[list[int]]) -> np.ndarray:
    lengths = [len(row) for row in rows]
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32)
