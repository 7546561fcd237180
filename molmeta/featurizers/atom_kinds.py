"""What RDKit says of an atom by its kind alone: asked once for a kind, looked up ever after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import pandas as pd
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molmeta.featurizers.binary_molecules import FlatMolecules
from molmeta.featurizers.substructures import MARKS, substructures
from molmeta.molecules import row_offsets

PAIR_CODES = 511  # RDKit's codes of atoms in pairs and torsions are taken modulo this


@dataclass(frozen=True)
class Kinds:
    """Kinds of atoms, a row each.

    Attributes
    ----------
    invariant : `[K]` int64, of Morgan's algorithm (Rogers, Hahn 2010)
    pair, torsion : `[K]` int64, codes in atom pairs (Carhart 1985) and at the end of torsions
    mass, hydrogen_mass, area : `[K]` float64, of the atom and its hydrogens (Da); of TPSA (Å²)
    number, hydrogens, connections : `[K]` int64, atomic number, hydrogens, neighbours with these
    may : `[K, queries]` bool, whether the atom may stand where a pattern has this query
    rooted, patterns : `[K · G + 1]` and flat, the patterns of each group that may begin at it
    ways : as `patterns`, in how many ways at most; of marks, which are not counted, 0
    """

    invariant: np.ndarray
    pair: np.ndarray
    torsion: np.ndarray
    mass: np.ndarray
    hydrogen_mass: np.ndarray
    area: np.ndarray
    number: np.ndarray
    hydrogens: np.ndarray
    connections: np.ndarray
    may: np.ndarray
    rooted: np.ndarray
    patterns: np.ndarray
    ways: np.ndarray


class KnownKinds:
    """The kinds met so far."""

    def __init__(self) -> None:
        self._row: dict[int, int] = {}
        self._said: list[tuple] = []
        self._tables: Kinds | None = None

    def of(self, mols: Sequence[Chem.Mol], flat: FlatMolecules) -> tuple[np.ndarray, Kinds]:
        """The kind of each atom, `[A]`, and the tables; new kinds are asked for."""
        codes, keys = pd.factorize(flat.key[: flat.atoms[-1]])
        new = [k for k, key in enumerate(keys.tolist()) if key not in self._row]
        if new:
            first = np.full(len(keys), len(codes))
            np.minimum.at(first, codes, np.arange(len(codes)))
            owner = np.searchsorted(flat.atoms, first, side="right") - 1
            for k in new:
                mol, place = mols[int(owner[k])], int(first[k] - flat.atoms[owner[k]])
                self._row[int(keys[k])] = len(self._said)
                self._said.append(_said_of(mol, place))
            self._tables = None
        if self._tables is None:
            self._tables = _tables(self._said)
        rows = np.array([self._row[key] for key in keys.tolist()], dtype=np.int64)
        return rows[codes], self._tables


@cache
def known_kinds() -> KnownKinds:
    """Those of this process."""
    return KnownKinds()


def _said_of(mol: Chem.Mol, place: int) -> tuple:
    """The fields of `Kinds` for one kind, of an example; in place of the last three, lists."""
    atom, all_patterns = mol.GetAtomWithIdx(place), substructures()
    pair = rdMolDescriptors.GetAtomPairAtomCode(atom, 0, False)
    hydrogens = atom.GetTotalNumHs()
    may, groups = all_patterns.of_kind(mol, place)
    many = [0] * len(MARKS) + [1, hydrogens]  # atoms of the type that a pattern gives
    ways = [
        [count * all_patterns.ways(p, atom.GetDegree()) for p in one]
        for count, one in zip(many, groups, strict=True)
    ]
    return (
        rdMolDescriptors.GetConnectivityInvariants(mol, True)[place],
        pair % PAIR_CODES,
        (pair - 2) % 2**32 % PAIR_CODES + 1,
        atom.GetMass(),
        hydrogens * Chem.GetPeriodicTable().GetAtomicWeight(1),
        rdMolDescriptors._CalcTPSAContribs(mol)[place],
        *(atom.GetAtomicNum(), hydrogens, atom.GetTotalDegree()),
        may,
        list(zip(groups, ways, strict=True)),
    )


def _tables(said: list[tuple]) -> Kinds:
    *columns, groups = zip(*said, strict=True)
    lists, ways = zip(*(one for of_kind in groups for one in of_kind), strict=True)
    flat, flat_ways = (np.array([p for o in part for p in o], np.int64) for part in (lists, ways))
    names = [field.name for field in fields(Kinds)]
    arrays = dict(zip(names, map(np.array, columns), strict=False))
    arrays["invariant"] = arrays["invariant"].astype(np.int64)
    return Kinds(
        **arrays, rooted=row_offsets([len(one) for one in lists]), patterns=flat, ways=flat_ways
    )
