"""Molecular graphs: categories of atoms and bonds in flat arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from rdkit import Chem

from molmeta.errors import MolmetaError
from molmeta.molecules import ATOM_SIZES, Graphs, row_offsets

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

TETRAHEDRAL = (Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW)

_ELEMENT = {number: i for i, number in enumerate(ELEMENTS)}
_HYBRIDISATION = {kind: i for i, kind in enumerate(HYBRIDISATIONS)}
_BOND_TYPE = {kind: i for i, kind in enumerate(BOND_TYPES)}

_CHIRALITY = {"R": 1, "S": 2}
_DEGREE, _CHARGE, _HYDROGENS, _RING, _RINGS = (
    ATOM_SIZES[k] - 1 for k in ("degree", "charge", "hydrogens", "ring", "rings")
)
_ATOM_SIZES = tuple(ATOM_SIZES.values())
MAX_ATOMS = np.iinfo(np.int16).max

Row = tuple[list[int], list[int], list[int], list[int]]  # atoms; begins, ends, bonds


def check_size(mol: Chem.Mol) -> None:
    """Refuse a molecule whose atoms cannot be numbered in a block of graphs.

    Raises
    ------
    MolmetaError
        It has none, or too many.
    """
    if not 0 < mol.GetNumAtoms() <= MAX_ATOMS:
        raise MolmetaError(f"a molecule has {mol.GetNumAtoms()} atoms; 1 to {MAX_ATOMS} work")


def atom_number(raw: tuple[Any, ...]) -> int:
    """The categories of `ATOM_SIZES` as one mixed-radix number, of what RDKit says of an atom.

    Charges are kept from −2 to +2, degrees to 6, hydrogens to 4, rings to 3 and the size of the
    smallest one from 3 to 8; beyond counts as the end.
    """
    number, degree, charge, hydrogens, hybridisation, aromatic, smallest, rings, chirality = raw
    categories = (
        _ELEMENT.get(number, len(ELEMENTS)),
        min(degree, _DEGREE),
        min(max(charge + 2, 0), _CHARGE),
        min(hydrogens, _HYDROGENS),
        _HYBRIDISATION.get(hybridisation, len(HYBRIDISATIONS)),
        int(aromatic),
        min(max(smallest - 2, 0), _RING),
        min(rings, _RINGS),
        _CHIRALITY.get(chirality, 0),
        int(number in (7, 8) and hydrogens > 0),
        int(_accepts(number, degree + hydrogens, charge, hybridisation)),
    )
    return int(np.ravel_multi_index(categories, _ATOM_SIZES))


def _accepts(
    number: int, neighbours: int, charge: int, hybridisation: Chem.HybridizationType
) -> bool:
    """An oxygen, or a nitrogen with a lone pair of its own: of no amide, aniline or pyrrole."""
    if charge > 0 or number not in (7, 8):
        return False
    conjugated = hybridisation == Chem.HybridizationType.SP2 and neighbours == 3
    return number == 8 or not conjugated


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
)
_ENDS = (Chem.Bond.GetBeginAtomIdx, Chem.Bond.GetEndAtomIdx)


class GraphFeaturizer:
    """The `graph` block: eleven categories an atom, four a bond.

    Heavy atoms are nodes. Donors are N and O with hydrogens, acceptors O and the N whose lone pair
    is no part of an amide, an aniline or a pyrrole; chirality is R or S where SMILES say so.
    """

    def row(self, mol: Chem.Mol) -> Row:
        """Numbers of the atoms; of the bonds begins, ends and codes.

        Asked for by columns, and stereo only of double bonds, which alone have E or Z: on this
        RDKit takes most of the time.
        """
        check_size(mol)
        # an index is half the price of GetAtoms and GetBonds
        atoms = list(map(mol.GetAtomWithIdx, range(mol.GetNumAtoms())))
        bonds = list(map(mol.GetBondWithIdx, range(mol.GetNumBonds())))
        tags = map(Chem.Atom.GetChiralTag, atoms)
        codes = handedness(mol, [i for i, tag in enumerate(tags) if tag in TETRAHEDRAL])
        chirality = map(codes.get, range(len(atoms)))
        columns = (*(map(get, atoms) for get in _OF_ATOM), *_rings(mol), chirality)
        numbers = map(_ATOMS.__getitem__, zip(*columns, strict=True))
        kinds = [bond.GetBondType() for bond in bonds]
        stereo = [
            bond.GetStereo() if kind == Chem.BondType.DOUBLE else None
            for bond, kind in zip(bonds, kinds, strict=True)
        ]
        flags = (map(get, bonds) for get in (Chem.Bond.GetIsConjugated, Chem.Bond.IsInRing))
        codes = map(_BONDS.__getitem__, zip(kinds, stereo, *flags, strict=True))
        begins, ends = (list(map(get, bonds)) for get in _ENDS)
        return list(numbers), begins, ends, list(codes)

    def collect(self, rows: list[Row]) -> Graphs:
        """All rows in flat arrays."""
        numbers, begins, ends, codes = zip(*rows, strict=True) if rows else ((), (), (), ())
        bonds = np.stack([_flat(begins, np.int16), _flat(ends, np.int16)], axis=1)
        offsets = _offsets(numbers), _offsets(codes)
        return graphs(_flat(numbers, np.int64), bonds, _flat(codes, np.uint8), *offsets)


def graphs(
    numbers: np.ndarray,
    bonds: np.ndarray,
    bond_codes: np.ndarray,
    atom_offsets: np.ndarray,
    bond_offsets: np.ndarray,
) -> Graphs:
    """The block, of `atom_number` of each atom and `bond_code` of each bond, laid end to end."""
    code, known = pd.factorize(numbers)
    return Graphs(
        atom_table=np.stack(np.unravel_index(known, _ATOM_SIZES), axis=1).astype(np.uint8),
        atom_code=code.astype(np.uint16),
        atom_offsets=atom_offsets.astype(np.int32),
        bonds=bonds,
        bond_code=bond_codes,
        bond_offsets=bond_offsets.astype(np.int32),
    )


def _rings(mol: Chem.Mol) -> tuple[list[int], list[int]]:
    """Of each atom the size of the smallest ring that it is in, 0 for none; how many there are."""
    smallest, rings = [0] * mol.GetNumAtoms(), [0] * mol.GetNumAtoms()
    for ring in sorted(mol.GetRingInfo().AtomRings(), key=len, reverse=True):
        for i in ring:
            smallest[i] = len(ring)
            rings[i] += 1
    return smallest, rings


def handedness(mol: Chem.Mol, centres: Sequence[int]) -> dict[int, str]:
    """R or S of atoms whose tetrahedral stereo is given, where it can be told."""
    atoms = [mol.GetAtomWithIdx(i) for i in centres]
    if atoms and not any(atom.HasProp("_CIPCode") for atom in atoms):
        Chem.AssignStereochemistry(mol, cleanIt=False, force=True)
    pairs = zip(centres, atoms, strict=True)
    return {i: atom.GetProp("_CIPCode") for i, atom in pairs if atom.HasProp("_CIPCode")}


def _flat(rows: Sequence[list[int]], kind: type[np.integer]) -> np.ndarray:
    return np.fromiter(chain.from_iterable(rows), dtype=kind)


def _offsets(rows: Sequence[list[int]]) -> np.ndarray:
    return row_offsets([len(row) for row in rows])
