"""RDKit's binary molecules, read into flat arrays: every atom and bond of many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from rdkit import Chem

from molmeta.molecules import row_offsets

VERSIONS = ((16, 4, 0),)  # of the format, whose every byte is known here
LARGEST = 255  # atoms and bonds; a byte numbers each
HEADER = 28  # bytes: mark, kind, version, numbers of atoms and bonds
WITHOUT_CONFORMERS = int(Chem.PropertyPickleOptions.NoConformers)

# fields of an atom's key and their bits: all that RDKit knows of it but stereo and its neighbours
FIELDS = {
    "number": 7,
    "charge": 4,  # plus 8
    "aromatic": 1,
    "explicit hydrogens": 3,
    "implicit hydrogens": 3,
    "degree": 3,
    "explicit valence": 4,
    "hybridisation": 4,
    "fixed hydrogens": 1,
    "radicals": 3,
    "single": 3,
    "double": 3,
    "triple": 2,
    "aromatic bonds": 2,
    "ring": 2,  # none, of three atoms, larger
}
SHIFTS = row_offsets(list(FIELDS.values()))[:-1]
SINGLE, DOUBLE, TRIPLE, AROMATIC = range(4)  # codes of bonds
BOND_NUMBERS = (1, 2, 3, 12)  # RDKit's
USUAL = (0, 0, 0, 4, 0, 0, 0, 0)  # of what an atom's bytes say only where it is another

_BEGIN_ATOMS, _BEGIN_BONDS, _BEGIN_RINGS, _END = 1, 11, 0x42, 0x16  # RDKit's marks


@dataclass(frozen=True)
class FlatMolecules:
    """Atoms and bonds of many molecules, laid end to end; those that are not `known` have none.

    Attributes
    ----------
    known : `[n]` bool
    atoms, bonds : `[n + 1]` int64, offsets
    key : `[A]` int64, the `FIELDS` of an atom
    chiral : `[A]` uint8, RDKit's number of the chiral tag
    smallest, rings : `[A]` uint8, atoms of the smallest ring, number of rings
    starts : `[A + 1]` int64, each atom's part of `neighbours` and `through`
    neighbours, through : `[2 B]` int16, atoms and bonds, numbered within the molecule
    ends : `[B, 2]` int16
    kind, conjugated, in_ring, stereo : `[B]` uint8; code of the bond, flags, RDKit's number
    ring_counts : `[n, 2]` int64, rings and aromatic rings
    """

    known: np.ndarray
    atoms: np.ndarray
    bonds: np.ndarray
    key: np.ndarray
    chiral: np.ndarray
    smallest: np.ndarray
    rings: np.ndarray
    starts: np.ndarray
    neighbours: np.ndarray
    through: np.ndarray
    ends: np.ndarray
    kind: np.ndarray
    conjugated: np.ndarray
    in_ring: np.ndarray
    stereo: np.ndarray
    ring_counts: np.ndarray


def flatten(mols: Sequence[Chem.Mol]) -> FlatMolecules:
    """Read molecules; what has a feature that is not known here is not `known`.

    Known are up to 255 heavy atoms without isotopes, queries or labels, under single, double,
    triple and aromatic bonds, in RDKit's symmetrised smallest rings.
    """
    parts = [mol.ToBinary(WITHOUT_CONFORMERS) for mol in mols]
    begins = row_offsets([len(part) for part in parts])
    data = np.frombuffer(b"".join(parts), dtype=np.uint8)
    header = np.stack([data[begins[:-1] + k] for k in range(HEADER)], axis=1)
    _, _, *version, atoms, bonds = header.view("<i4").T
    known = np.isin(_joined(np.array(version)), _joined(np.array(VERSIONS).T))
    known &= (atoms > 0) & (atoms <= LARGEST) & (bonds <= LARGEST)

    def zeros(kind: type[np.number], *shape: int) -> np.ndarray:
        return np.zeros(shape, dtype=kind)

    count, bond_count = int(atoms[known].sum()), int(bonds[known].sum())
    out = FlatMolecules(
        known=known,
        atoms=zeros(np.int64, len(mols) + 1),
        bonds=zeros(np.int64, len(mols) + 1),
        key=zeros(np.int64, count),
        chiral=zeros(np.uint8, count),
        smallest=zeros(np.uint8, count),
        rings=zeros(np.uint8, count),
        starts=zeros(np.int64, count + 1),
        neighbours=zeros(np.int16, 2 * bond_count),
        through=zeros(np.int16, 2 * bond_count),
        ends=zeros(np.int16, bond_count, 2),
        kind=zeros(np.uint8, bond_count),
        conjugated=zeros(np.uint8, bond_count),
        in_ring=zeros(np.uint8, bond_count),
        stereo=zeros(np.uint8, bond_count),
        ring_counts=zeros(np.int64, len(mols), 2),
    )
    read_all(data, begins, atoms, bonds, SHIFTS, *vars(out).values())
    return out


def fields(keys: np.ndarray) -> dict[str, np.ndarray]:
    """The `FIELDS` of some keys."""
    parts = zip(FIELDS.items(), SHIFTS, strict=True)
    found = {name: keys >> shift & ((1 << bits) - 1) for (name, bits), shift in parts}
    return found | {"charge": found["charge"] - 8}


def _joined(version: np.ndarray) -> np.ndarray:
    """A number for each version, `[3, n]` to `[n]`."""
    return (version[0] * 1000 + version[1]) * 1000 + version[2]


@njit(cache=True)
def read_all(
    data, begins, sizes, bond_counts, shifts,
    known, atoms, bonds, key, chiral, smallest, rings,
    starts, neighbours, through, ends, kind, conjugated, in_ring, stereo, ring_counts,
):  # fmt: skip
    """Read all molecules one after another; a molecule that is given up takes no room."""
    raw = np.zeros((LARGEST, 8), dtype=np.int64)
    for i in range(len(sizes)):
        a, b, n, m = atoms[i], bonds[i], sizes[i], bond_counts[i]
        if known[i]:
            at = _read_atoms(data, begins[i] + HEADER, n, raw, chiral[a:])
            if at > 0:
                at = _read_bonds(data, at, m, ends[b:], kind[b:], conjugated[b:], stereo[b:])
            if at > 0:
                _connect(n, m, 2 * b, ends[b:], starts[a:], neighbours[2 * b :], through[2 * b :])
                at = _read_rings(
                    data, at, n, m, 2 * b, starts[a:], neighbours[2 * b :], through[2 * b :],
                    kind[b:], smallest[a:], rings[a:], in_ring[b:], ring_counts[i],
                )  # fmt: skip
            known[i] = at == begins[i + 1]
        if known[i]:
            for v in range(n):
                key[a + v] = _key(v, raw, 2 * b, starts[a:], through[2 * b :], kind[b:],
                                  smallest[a + v], shifts)  # fmt: skip
                known[i] &= key[a + v] >= 0
        if known[i]:
            a, b = a + n, b + m
        atoms[i + 1], bonds[i + 1] = a, b
        starts[a] = 2 * b


@njit(cache=True)
def _signed(byte):
    return np.int64(byte) - 256 if byte > 127 else np.int64(byte)


@njit(cache=True)
def _number(data, at):
    """A little-endian integer of four bytes."""
    value = np.int64(0)
    for k in range(4):
        value |= np.int64(data[at + k]) << (8 * k)
    return value


@njit(cache=True)
def _read_atoms(data, at, n, raw, chiral):
    """Raw fields of the atoms; the place behind them, or 0 where something is not known.

    A byte of flags, and four bytes whose bits say what else is there: a charge, a chiral tag, the
    hybridisation, hydrogens, valences, radicals. What is not there has its usual value.
    """
    if data[at] != 0x80 or data[at + 1] != _BEGIN_ATOMS:
        return 0
    at += 2
    given = np.zeros(8, dtype=np.int64)
    for v in range(n):
        number, flags, there = data[at], data[at + 1], _number(data, at + 2)
        at += 6
        if number < 2 or number > 127 or flags & 0x9F or there & ~0xFE:
            return 0  # a hydrogen or a dummy; a query, a label, a residue; an isotope
        raw[v, 0] = number
        raw[v, 2] = flags >> 6 & 1
        raw[v, 7] = flags >> 5 & 1
        for k in range(1, 8):
            given[k] = USUAL[k]
            if there & 1 << k:
                given[k] = data[at]
                at += 1
        charge, tag, hybridisation = _signed(given[1]), given[2], given[3]
        explicit, valence, implicit, radicals = given[4], given[5], given[6], given[7]
        if abs(charge) > 7 or tag > 2 or hybridisation > 8 or valence > 15 or radicals > 7:
            return 0
        if explicit > 7 or implicit > 7:
            return 0
        chiral[v] = tag
        raw[v, 1] = charge + 8
        raw[v, 3], raw[v, 4], raw[v, 5] = explicit, implicit, valence
        raw[v, 6] = hybridisation | radicals << 4
    return at


@njit(cache=True)
def _read_bonds(data, at, m, ends, kind, conjugated, stereo):
    """Bonds; the place behind them, or 0 where something is not known."""
    if data[at] != _BEGIN_BONDS:
        return 0
    at += 1
    for b in range(m):
        ends[b, 0], ends[b, 1] = data[at], data[at + 1]
        flags = data[at + 2]
        at += 3
        if flags & 0x91:  # a query, ends of a bond to many atoms
            return 0
        number = 1
        if flags & 1 << 3:
            number = np.int64(data[at])
            at += 1
        if flags & 1 << 2:  # the direction of a wedge or slash
            at += 1
        stereo[b] = 0
        if flags & 1 << 1:
            stereo[b] = data[at]
            at += 2 + np.int64(data[at + 1])
        if number == 12:
            kind[b] = AROMATIC
        elif 1 <= number <= 3:
            kind[b] = number - 1
        else:
            return 0
        conjugated[b] = flags >> 5 & 1
        if (flags >> 6 & 1) != (kind[b] == AROMATIC):
            return 0
    return at


@njit(cache=True)
def _connect(n, m, first, ends, starts, neighbours, through):
    """Each atom's neighbours, and the bonds to them, in the order of the bonds."""
    for v in range(n + 1):
        starts[v] = 0
    for b in range(m):
        for side in range(2):
            starts[ends[b, side] + 1] += 1
    for v in range(n):
        starts[v + 1] += starts[v]
    for b in range(m):
        for side in range(2):
            v = ends[b, side]
            neighbours[starts[v]], through[starts[v]] = ends[b, 1 - side], b
            starts[v] += 1
    for v in range(n, 0, -1):
        starts[v] = starts[v - 1]
    starts[0] = 0
    for v in range(n + 1):
        starts[v] += first


@njit(cache=True)
def _read_rings(
    data, at, n, m, first, starts, neighbours, through, kind, smallest, rings, in_ring, counts
):
    """Rings of atoms and bonds; the place behind the molecule, or 0 where it is not known."""
    if data[at] != _BEGIN_RINGS:
        return 0
    for v in range(n):
        smallest[v], rings[v] = 0, 0
    for b in range(m):
        in_ring[b] = 0
    counts[0], counts[1] = _number(data, at + 1), 0
    if counts[0] > 255:  # as in a cage or a large cycle of cycles
        return 0
    at += 5
    for _ in range(counts[0]):
        size = np.int64(data[at])
        at += 1
        aromatic = True
        for k in range(size):
            v, u = np.int64(data[at + k]), data[at + (k + 1) % size]
            smallest[v] = size if rings[v] == 0 else min(size, np.int64(smallest[v]))
            rings[v] += 1
            for e in range(starts[v] - first, starts[v + 1] - first):
                if neighbours[e] == u:
                    in_ring[through[e]] = 1
                    aromatic &= kind[through[e]] == AROMATIC
        counts[1] += aromatic
        at += size
    for b in range(m):
        if kind[b] == AROMATIC and not in_ring[b]:
            return 0
    return at + 1 if data[at] == _END else 0


@njit(cache=True)
def _key(v, raw, first, starts, through, kind, smallest, shifts):
    """The key of an atom; −1 where a field is too small for it."""
    bonds = np.zeros(4, dtype=np.int64)
    for e in range(starts[v] - first, starts[v + 1] - first):
        bonds[kind[through[e]]] += 1
    degree = starts[v + 1] - starts[v]
    if degree > 7 or bonds[TRIPLE] > 3 or bonds[AROMATIC] > 3:
        return -1
    ring = 0 if smallest == 0 else (1 if smallest == 3 else 2)
    values = (
        raw[v, 0], raw[v, 1], raw[v, 2], raw[v, 3], raw[v, 4], degree, raw[v, 5],
        raw[v, 6] & 15, raw[v, 7], raw[v, 6] >> 4,
        bonds[0], bonds[1], bonds[2], bonds[3], ring,
    )  # fmt: skip
    key = np.int64(0)
    for k in range(len(values)):
        key |= np.int64(values[k]) << shifts[k]
    return key
