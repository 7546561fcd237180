"""Marks of atoms and whole-molecule descriptors, in compiled code."""

from __future__ import annotations

import numpy as np
from numba import njit

from molmeta.featurizers.atom_kinds import Kinds
from molmeta.featurizers.binary_molecules import AROMATIC, LARGEST, SINGLE, FlatMolecules
from molmeta.featurizers.substructures import (
    BIT,
    FEATURES,
    MARKS,
    MOST,
    bond_class,
    crippen_types,
    matches,
    substructures,
)

COLUMNS = 11  # those of `DESCRIPTORS`, in their order
HEAVY, HYDROGENS = len(MARKS), len(MARKS) + 1  # groups of Crippen's types
FIRST_FEATURE = BIT[FEATURES[0]]
assert tuple(MARKS)[FIRST_FEATURE:] == FEATURES
STIFF, AMIDE = 1 << BIT["stiff"], 1 << BIT["amide"]
MATCHES = 1000  # of a pattern, after which RDKit stops
ACCEPTS, DONATES = 1 << BIT["accepts"], 1 << BIT["donates"]


def describe(
    flat: FlatMolecules, kinds: np.ndarray, of_kind: Kinds
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Descriptors `[n, 11]` in their own units, and of which molecules; features of atoms `[A]`."""
    known = flat.known.copy()
    patterns = substructures()
    assert len(crippen_types()) == len(patterns.tables.groups) - 1 - len(MARKS)
    tables = patterns.tables
    marks = np.zeros(len(kinds), dtype=np.int64)
    values = np.zeros((len(flat.known), COLUMNS))
    describe_all(
        known, flat.atoms, flat.bonds, flat.starts, flat.neighbours, flat.through, flat.ends,
        bond_class(flat.kind, flat.in_ring), flat.ring_counts, kinds, of_kind.mass,
        of_kind.hydrogen_mass, of_kind.area, of_kind.number, of_kind.hydrogens,
        of_kind.connections, of_kind.may, of_kind.rooted, of_kind.patterns, of_kind.ways,
        tables.size, tables.steps, tables.bonds, len(tables.groups) - 1, patterns.values, marks,
        values,
    )  # fmt: skip
    return values, known, marks >> FIRST_FEATURE


@njit(cache=True)
def describe_all(
    known, atoms, bonds, starts, neighbours, through, ends, classes, ring_counts, kinds, mass,
    hydrogen_mass, area, number, hydrogens, connections, may, rooted, patterns, ways, size, steps,
    bond_may, groups, type_values, marks, values,
):  # fmt: skip
    """Fill `marks` and `values`; what RDKit may give up to count is `known` no more."""
    found, slot = np.zeros(MOST, dtype=np.int64), np.zeros(MOST, dtype=np.int64)
    typed = np.zeros((2, LARGEST), dtype=np.int64)
    edges = np.zeros((2 * LARGEST, 2), dtype=np.int64)
    begin = np.zeros(LARGEST + 1, dtype=np.int64)
    found_in = np.zeros(len(size), dtype=np.int64)  # ways in which each pattern may be found
    for i in range(len(known)):
        if not known[i]:
            continue
        a, b, n, m = atoms[i], bonds[i], atoms[i + 1] - atoms[i], bonds[i + 1] - bonds[i]
        of, its = kinds[a : a + n], marks[a : a + n]
        for v in range(n + 1):
            begin[v] = starts[a + v] - 2 * b
        for e in range(2 * m):
            edges[e, 0] = neighbours[2 * b + e]
            edges[e, 1] = classes[b + through[2 * b + e]]
        found_in[:] = 0
        for group in range(groups):
            for v in range(n):
                here = of[v] * groups + group
                p, k = -1, rooted[here]
                for w in range(k, rooted[here + 1]):
                    found_in[patterns[w]] += ways[w]
                while p < 0 and k < rooted[here + 1]:
                    if matches(
                        *(patterns[k], v, of, begin, edges, its, may),
                        *(size, steps, bond_may, found, slot),
                    ):
                        p = patterns[k]
                    k += 1
                if group >= HEAVY:
                    typed[group - HEAVY, v] = p
                elif p >= 0:
                    its[v] |= 1 << group
        known[i] = found_in.max() < MATCHES
        row = values[i]
        for v in range(n):
            of_it = of[v]
            carbon = number[of_it] == 6
            row[0] += mass[of_it]
            row[0] += hydrogen_mass[of_it]
            row[1] += type_values[typed[0, v]] if typed[0, v] >= 0 else 0.0
            row[2] += area[of_it]
            row[3] += its[v] & DONATES != 0
            row[4] += its[v] & ACCEPTS != 0
            row[8] += carbon and connections[of_it] == 4
            row[9] += not carbon
        for v in range(n):  # in RDKit's order, hydrogens last
            for _ in range(hydrogens[of[v]]):
                row[1] += type_values[typed[1, v]] if typed[1, v] >= 0 else 0.0
        for e in range(m):
            if classes[b + e] == 2 * SINGLE or classes[b + e] == 2 * AROMATIC:  # in no ring
                left, right = its[ends[b + e, 0]], its[ends[b + e, 1]]
                row[5] += not (left | right) & STIFF and not left & right & AMIDE
        row[6], row[7] = ring_counts[i, 0], ring_counts[i, 1]
        row[8] = row[8] / (n - row[9]) if n > row[9] else 0.0
        row[10] = n
