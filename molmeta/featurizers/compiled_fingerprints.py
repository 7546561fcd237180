"""Count fingerprints in compiled code, column for column RDKit's own.

The hashes are 32 bits wide, boost's of 2005 as RDKit keeps it; a column is a hash modulo 2,048.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from molmeta.featurizers.atom_kinds import Kinds
from molmeta.featurizers.binary_molecules import BOND_NUMBERS, LARGEST, FlatMolecules
from molmeta.molecules import FINGERPRINT_WIDTH, Counts

NAMES = ("ecfp4", "ecfp6", "fcfp4", "torsion", "atom_pair")
FARTHEST = 30  # bonds between the atoms of a pair
KEPT = 255  # a count above it is kept as this
ROUNDS = 3

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9


def count(
    flat: FlatMolecules,
    kinds: np.ndarray,
    of_kind: Kinds,
    features: np.ndarray,
    names: Sequence[str],
) -> dict[str, Counts]:
    """The named fingerprints; `features [A]` are the bits of the features of atoms."""
    wanted = np.array([name in names for name in NAMES])
    numbers = np.array(BOND_NUMBERS, dtype=np.int64)[flat.kind]
    room = _room(flat, wanted)
    columns = np.zeros((len(NAMES), room), dtype=np.uint16)
    counts = np.zeros((len(NAMES), room), dtype=np.uint8)
    offsets = np.zeros((len(NAMES), len(flat.known) + 1), dtype=np.int64)
    count_all(
        flat.known, flat.atoms, flat.bonds, flat.starts, flat.neighbours, flat.through, flat.ends,
        numbers, of_kind.invariant[kinds], features, of_kind.pair[kinds], of_kind.torsion[kinds],
        wanted, columns, counts, offsets,
    )  # fmt: skip
    found = {}
    for f, name in enumerate(NAMES):
        if name in names:
            end = offsets[f, -1]
            rows = (columns[f, :end].copy(), counts[f, :end].copy(), offsets[f])
            found[name] = Counts(*rows, FINGERPRINT_WIDTH)
    return found


def _room(flat: FlatMolecules, wanted: np.ndarray) -> int:
    """An upper bound of the columns that all molecules have in one fingerprint."""
    sizes = np.diff(flat.atoms)
    most = np.maximum((ROUNDS + 1) * sizes, sizes * (sizes - 1) // 2 * wanted[4])
    torsions = 36 * np.diff(flat.bonds) * wanted[3]  # an atom has seven neighbours at most
    return int(np.minimum(np.maximum(most, torsions), FINGERPRINT_WIDTH).sum())


@njit(cache=True)
def count_all(
    known, atoms, bonds, starts, neighbours, through, ends, numbers, invariants, features, pairs,
    torsions, wanted, columns, counts, offsets,
):  # fmt: skip
    """Count in all known molecules."""
    table = np.zeros((len(wanted), FINGERPRINT_WIDTH), dtype=np.int32)
    begin = np.zeros(LARGEST + 1, dtype=np.int64)
    edges = np.zeros(
        (2 * LARGEST, 3), dtype=np.int64
    )  # of each neighbour: itself, bond, its number
    for i in range(len(known)):
        a, b, n, m = atoms[i], bonds[i], atoms[i + 1] - atoms[i], bonds[i + 1] - bonds[i]
        if known[i]:
            for v in range(n + 1):
                begin[v] = starts[a + v] - 2 * b
            for e in range(2 * m):
                edges[e, 0], edges[e, 1] = neighbours[2 * b + e], through[2 * b + e]
                edges[e, 2] = numbers[b + edges[e, 1]]
            if wanted[0] or wanted[1]:
                rounds = 3 if wanted[1] else 2
                _morgan(n, begin, edges, invariants[a : a + n], rounds, table[0], table[1])
            if wanted[2]:
                _morgan(n, begin, edges, features[a : a + n], 2, table[2], table[2])
            if wanted[3]:
                _torsions(m, begin, edges, ends[b : b + m], torsions[a : a + n], table[3])
            if wanted[4]:
                _pairs(n, begin, edges, pairs[a : a + n], table[4])
        for f in range(len(wanted)):
            at = offsets[f, i]
            if known[i] and wanted[f]:
                for column in range(FINGERPRINT_WIDTH):
                    if table[f, column]:
                        columns[f, at] = column
                        counts[f, at] = min(table[f, column], KEPT)
                        at += 1
                table[f, :] = 0
            offsets[f, i + 1] = at


@njit(cache=True)
def _combine(seed, value):
    return seed ^ ((value + _GOLDEN + (seed << 6) + (seed >> 2)) & _MASK)


@njit(cache=True)
def _morgan(n, begin, edges, invariants, rounds, shorter, longer):
    """Environments of atoms, the same set of bonds once (Rogers, Hahn 2010).

    Those of two rounds are counted in `shorter`, all in `longer` where that is another.
    """
    two = rounds > 2
    now, after = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    words = (begin[n] // 2 + 63) // 64
    inside = np.zeros((2, n, words), dtype=np.uint64)  # bonds of each environment, before and now
    dead, winner = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    seen, kept = np.zeros((rounds * n, words), dtype=np.uint64), 0
    order = np.zeros(8, dtype=np.int64)
    for v in range(n):
        now[v] = invariants[v]
        shorter[now[v] & (FINGERPRINT_WIDTH - 1)] += 1
        if two:
            longer[now[v] & (FINGERPRINT_WIDTH - 1)] += 1
        dead[v] = begin[v + 1] == begin[v]
    for layer in range(rounds):
        before, here = inside[layer & 1], inside[1 - (layer & 1)]
        for v in range(n):
            after[v] = 0
            for w in range(words):
                here[v, w] = before[v, w]
            if dead[v]:
                continue
            degree = 0
            for e in range(begin[v], begin[v + 1]):
                u, bond = edges[e, 0], edges[e, 1]
                for w in range(words):
                    here[v, w] |= before[u, w]
                here[v, bond >> 6] |= np.uint64(1) << np.uint64(bond & 63)
                value, k = edges[e, 2] << 32 | now[u], degree
                while k > 0 and order[k - 1] > value:
                    order[k] = order[k - 1]
                    k -= 1
                order[k] = value
                degree += 1
            code = _combine(layer, now[v])
            for k in range(degree):
                code = _combine(code, _combine(_combine(0, order[k] >> 32), order[k] & _MASK))
            after[v] = code
        for v in range(n):  # of atoms with the same bonds inside, that of the least code counts
            winner[v] = not dead[v]
            for k in range(kept):
                if winner[v] and _equal(seen, k, here, v):
                    winner[v] = False
            for u in range(n):
                if winner[v] and u != v and not dead[u] and _equal(here, u, here, v):
                    winner[v] = after[v] < after[u] or (after[v] == after[u] and v < u)
        for v in range(n):
            if winner[v]:
                seen[kept] = here[v]
                kept += 1
                if layer < 2:
                    shorter[after[v] & (FINGERPRINT_WIDTH - 1)] += 1
                if two:
                    longer[after[v] & (FINGERPRINT_WIDTH - 1)] += 1
            dead[v] = not winner[v]
            now[v] = after[v]


@njit(cache=True)
def _equal(a, i, b, j):
    """Whether row i of the one is row j of the other."""
    for w in range(a.shape[1]):
        if a[i, w] != b[j, w]:
            return False
    return True


@njit(cache=True)
def _torsions(m, begin, edges, ends, codes, counts):
    """Paths of four atoms (Nilakantan et al. 1987), a triangle as one that ends where it began.

    Atoms inside a path have one neighbour less to tell of than those at its ends.
    """
    for bond in range(m):
        b, c = ends[bond, 0], ends[bond, 1]
        for e in range(begin[b], begin[b + 1]):
            a = edges[e, 0]
            if a == c:
                continue
            for f in range(begin[c], begin[c + 1]):
                d = edges[f, 0]
                if d == b:
                    continue
                if a != d:
                    counts[_path(codes[a], codes[b] - 1, codes[c] - 1, codes[d])] += 1
                elif a < min(b, c):
                    low, high = min(b, c), max(b, c)
                    counts[_path(codes[a], codes[low] - 1, codes[high] - 1, codes[a])] += 1


@njit(cache=True)
def _path(a, b, c, d):
    """The column of a path, from the end with the lesser codes."""
    if a > d or (a == d and b > c):
        a, b, c, d = d, c, b, a
    return _combine(_combine(_combine(_combine(0, a), b), c), d) & (FINGERPRINT_WIDTH - 1)


@njit(cache=True)
def _pairs(n, begin, edges, codes, counts):
    """Pairs of atoms with the number of bonds between them."""
    distance, queue = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for v in range(n):
        distance[:] = -1
        distance[v], queue[0] = 0, v
        first, last = 0, 1
        while first < last:
            u = queue[first]
            first += 1
            if distance[u] == FARTHEST:
                break
            for e in range(begin[u], begin[u + 1]):
                w = edges[e, 0]
                if distance[w] < 0:
                    distance[w] = distance[u] + 1
                    queue[last] = w
                    last += 1
        for u in range(v + 1, n):
            if distance[u] > 0:
                low, high = min(codes[v], codes[u]), max(codes[v], codes[u])
                column = _combine(_combine(_combine(0, low), distance[u]), high)
                counts[column & (FINGERPRINT_WIDTH - 1)] += 1
