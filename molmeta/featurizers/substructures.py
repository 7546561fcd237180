"""Substructures as SMARTS, matched in compiled code: what descriptors and features are made of.

An atom matches or not by its kind alone (`binary_molecules.FIELDS`), and RDKit itself says so, once
for a kind; what is compiled is the search among neighbours. No pattern has a ring or a `$(...)`:
that is a *mark*, which atoms get first and later patterns forbid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from math import perm, prod
from pathlib import Path

import numpy as np
from numba import njit
from rdkit import Chem, RDConfig

from molmeta.featurizers.binary_molecules import BOND_NUMBERS
from molmeta.molecules import row_offsets

MOST = 6  # atoms of a pattern


@dataclass(frozen=True)
class Pattern:
    """A tree of atoms, of which the first is looked at; `without`: marks that others must lack."""

    smarts: str
    without: Mapping[int, str] = field(default_factory=dict)

    def read(self) -> tuple[Chem.Mol, list[int]]:
        """As RDKit reads it, each atom before those that it leads to; the order of its atoms.

        Those behind aromatic bonds, of which there are many, come last.
        """
        query = Chem.MolFromSmarts(self.smarts)
        order = _rare_first(query, 0, -1)
        return Chem.RenumberAtoms(query, order), order


def _rare_first(query: Chem.Mol, place: int, before: int) -> list[int]:
    bonds = query.GetAtomWithIdx(place).GetBonds()
    ahead = [(one.GetSmarts() == ":", one.GetOtherAtomIdx(place)) for one in bonds]
    ways = [_rare_first(query, other, place) for _, other in sorted(ahead) if other != before]
    return [place, *(one for way in ways for one in way)]


def _plain(*smarts: str) -> tuple[Pattern, ...]:
    return tuple(Pattern(text) for text in smarts)


# each mark's patterns, one of which an atom must match; in an order in which all is known before.
MARKS: dict[str, tuple[Pattern, ...]] = {
    # rotatable bonds, RDKit's strict definition: no end of one is stiff, not both are of an amide
    "stiff": _plain(
        *("*#*", "[D1]", "C(F)(F)F", "C(Cl)(Cl)Cl", "C(Br)(Br)Br", "C([CH3])([CH3])[CH3]")
    ),
    "amide": _plain(
        *("[CD3](=[N,O,S])-!@[#7,O,S!D1]", "[#7,O,S!D1]-!@[CD3]=[N,O,S]"),
        *("[CD3](=[N+])-!@[#7!D1]", "[#7!D1]-!@[CD3]=[N+]"),
    ),
    # hydrogen bonds, as RDKit's descriptors have them
    "oxo": _plain("*=[O,N,P,S]"),
    "of an amide": _plain("N-*=!@[O,N,P,S]"),
    "accepts": (
        *(Pattern("[O,S;H1;v2]-*", {1: "oxo"}), Pattern("[N;v3]", {0: "of an amide"})),
        *_plain("[O,S;H0;v2]", "[O,S;-]", "[nH0X2,o,s;+0]"),
    ),
    "donates": _plain("[N&!H0&v3,N&!H0&+1&v4,O&H1&+0,S&H1&+0,n&H1&+0]"),
    # features of atoms after Gobbi and Poppinger (1998), as in RDKit's FCFP
    "acyl": _plain("[O,N,S]-*=[O,N,P,S]"),
    "azole": _plain("[o,s]:n", "[o,s]:c:n"),
    "carbonyl": _plain("[C,a]=O"),
    "donor": _plain("[N;!H0;v3,v4&+1]", "[O,S;H1;+0]", "[n&H1&+0]"),
    "acceptor": (
        *(Pattern("[O,S;H1;v2]", {0: "acyl"}), Pattern("[N;v3]", {0: "acyl"})),
        *(Pattern("[o,s;+0]", {0: "azole"}), *_plain("[O,S;H0;v2]", "[O,S;-]", "[n&H0&+0]")),
    ),
    "aromatic": _plain("[a]"),
    "halogen": _plain("[F,Cl,Br,I]"),
    "basic": (
        Pattern("[#7;+]"),
        Pattern("[N;H2&+0][C,a]", {1: "carbonyl"}),
        Pattern("[N;H1&+0]([C,a])[C,a]", dict.fromkeys((1, 2), "carbonyl")),
        Pattern("[N;H0&+0](C)(C)C", dict.fromkeys((1, 2, 3), "carbonyl")),
    ),
    "acidic": _plain("[C,S](=[O,S,P])-[O;H1,-1]"),
}
# where RDKit's code has gone on from its file of Crippen's types: aromatic neighbours are meant too
AMENDED = {
    "[#1][!C;!N;!O]": "[#1][!#6;!#7;!#8]",
    "[#1]O[!C;!N;!O;!S]": "[#1]O[!#6;!#7;!#8;!#16]",
}
FEATURES = ("donor", "acceptor", "aromatic", "halogen", "basic", "acidic")  # bits of an invariant
BIT = {name: bit for bit, name in enumerate(MARKS)}


@dataclass(frozen=True)
class Typed:
    """A pattern with what an atom of its type adds to logP (Wildman, Crippen 1999)."""

    pattern: Pattern
    value: float


@cache
def crippen_types() -> tuple[list[Typed], list[Typed]]:
    """RDKit's table of types, the first that matches counts: of heavy atoms, of hydrogens.

    Patterns of hydrogens begin with their atom, which all hydrogens share.
    """
    heavy, hydrogens = [], []
    for line in (Path(RDConfig.RDDataDir) / "Crippen.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        _, smarts, value, *_ = line.split("\t")
        smarts = AMENDED.get(smarts, smarts)
        of_hydrogen = smarts.startswith("[#1]")
        pattern = Pattern(smarts.removeprefix("[#1]") or "*" if of_hydrogen else smarts)
        (hydrogens if of_hydrogen else heavy).append(Typed(pattern, float(value or 0)))
    return heavy, hydrogens


@dataclass(frozen=True)
class Tables:
    """Patterns as arrays, for the compiled search.

    Attributes
    ----------
    size : `[P]`, atoms of a pattern
    steps : `[P, MOST, 4]`; of each of its atoms the one before, the queries of the bond to it and
        of itself, and the bits of marks that are forbidden
    bonds : `[queries, 8]` bool, whether a bond of a class (`bond_class`) may
    groups : `[G + 1]`, each group's patterns: the marks, types of heavy atoms, of hydrogens
    """

    size: np.ndarray
    steps: np.ndarray
    bonds: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class Substructures:
    """All patterns, and the distinct queries of atoms in them."""

    tables: Tables
    atoms: list[Chem.Atom]
    values: np.ndarray  # `[P]`, what a type adds to logP
    queries: list[Chem.Mol]  # to which the atoms belong

    def of_kind(self, mol: Chem.Mol, place: int) -> tuple[np.ndarray, list[list[int]]]:
        """Whether an atom of this kind may stand where each query is; each group's patterns."""
        example = mol.GetAtomWithIdx(place)
        may = np.array([query.Match(example) for query in self.atoms])
        counts = np.bincount(
            [BOND_NUMBERS.index(int(bond.GetBondType())) for bond in example.GetBonds()],
            minlength=len(BOND_NUMBERS),
        )
        able = [
            bool(may[self.tables.steps[p, 0, 2]]) and self._has_bonds(p, counts)
            for p in range(len(self.values))
        ]
        groups = zip(self.tables.groups, self.tables.groups[1:], strict=False)
        return may, [[p for p in range(a, b) if able[p]] for a, b in groups]

    def ways(self, p: int, degree: int) -> int:
        """An upper bound of the ways in which a pattern begins at an atom of so many neighbours."""
        steps = self.tables.steps[p, 1 : self.tables.size[p], 0]
        first, *later = np.bincount(steps, minlength=1).tolist()
        return perm(degree, first) * prod(perm(3, count) for count in later)

    def _has_bonds(self, p: int, counts: np.ndarray) -> bool:
        """Whether an atom with so many bonds of each code has enough to begin a pattern."""
        steps = self.tables.steps[p, 1 : self.tables.size[p]]
        queries = steps[steps[:, 0] == 0, 1]
        rows = np.any(self.tables.bonds[queries].reshape(-1, len(counts), 2), axis=2)
        some = np.array(list(product((False, True), repeat=len(counts))))
        bound_to_these = np.all(rows <= some[:, np.newaxis], axis=2).sum(axis=1)
        return bool((bound_to_these <= some @ counts).all())


@cache
def substructures() -> Substructures:
    """Read all patterns."""
    heavy, hydrogens = crippen_types()
    typed = [*heavy, *hydrogens]
    groups = [*MARKS.values(), [one.pattern for one in heavy], [one.pattern for one in hydrogens]]
    patterns = [pattern for group in groups for pattern in group]
    steps = np.zeros((len(patterns), MOST, 4), dtype=np.int64)
    atoms: dict[str, tuple[int, Chem.Atom]] = {}
    bonds: dict[str, tuple[int, Chem.Bond]] = {}
    queries, orders = zip(*(pattern.read() for pattern in patterns), strict=True)
    for p, (pattern, query) in enumerate(zip(patterns, queries, strict=True)):
        for k, one in enumerate(query.GetAtoms()):
            steps[p, k, 2] = atoms.setdefault(one.GetSmarts(), (len(atoms), one))[0]
        for one in query.GetBonds():
            a, b = sorted((one.GetBeginAtomIdx(), one.GetEndAtomIdx()))
            assert query.GetNumBonds() == query.GetNumAtoms() - 1 < MOST
            steps[p, b, 0] = a
            steps[p, b, 1] = bonds.setdefault(one.GetSmarts(), (len(bonds), one))[0]
        for k, mark in pattern.without.items():
            steps[p, orders[p].index(k), 3] |= 1 << BIT[mark]
    tables = Tables(
        np.array([query.GetNumAtoms() for query in queries]),
        steps,
        np.array([_may(one) for _, one in bonds.values()]),
        row_offsets([len(group) for group in groups]),
    )
    values = [0.0] * (len(patterns) - len(typed)) + [one.value for one in typed]
    return Substructures(
        tables, [one for _, one in atoms.values()], np.array(values), list(queries)
    )


def bond_class(code: np.ndarray, in_ring: np.ndarray) -> np.ndarray:
    """What a query of a bond can tell apart: its code, and whether it is in a ring."""
    return 2 * code.astype(np.int64) + in_ring


def _may(query: Chem.Bond) -> list[bool]:
    """Whether a query lets bonds of each class pass."""
    outside = [Chem.MolFromSmiles(text) for text in ("CC", "C=C", "C#C")]
    inside = [Chem.MolFromSmiles(text) for text in ("C1CCCCC1", "C1=CCCCC1", "C1#CCCCCCC1")]
    aromatic = Chem.MolFromSmiles("c1ccccc1")
    pairs = zip([*outside, aromatic], [*inside, aromatic], strict=True)
    return [query.Match(mol.GetBondWithIdx(0)) for pair in pairs for mol in pair]


@njit(cache=True)
def matches(p, root, kinds, starts, edges, marks, may, size, steps, bonds, found, slot):
    """Whether a pattern, which its first atom may begin, is found at an atom `root`.

    `edges [2 B, 2]` are neighbours and classes of bonds; `found` and `slot` room for the atoms of a
    pattern, and for how far the search is at each.
    """
    last = size[p] - 1
    if marks[root] & steps[p, 0, 3]:
        return False
    found[0] = root
    if last == 0:
        return True
    k = 1
    slot[1] = starts[root]
    while k > 0:
        before = found[steps[p, k, 0]]
        query, atom, forbidden = steps[p, k, 1], steps[p, k, 2], steps[p, k, 3]
        e, stop, ahead = slot[k], starts[before + 1], False
        while e < stop and not ahead:
            v = edges[e, 0]
            ahead = bonds[query, edges[e, 1]] and may[kinds[v], atom] and not marks[v] & forbidden
            for j in range(k):
                ahead &= found[j] != v
            if ahead:
                found[k] = v
            e += 1
        slot[k] = e
        if not ahead:
            k -= 1
        elif k == last:
            return True
        else:
            k += 1
            slot[k] = starts[found[steps[p, k, 0]]]
    return False
