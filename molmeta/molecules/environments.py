"""Distinct atom environments: what a message-passing layer needs to compute once only.

Two atoms that the Weisfeiler–Lehman refinement gives the same colour after l rounds have the same
vector after l layers of message passing, whatever the weights (Xu et al. 2019, lemma 2). Colours
depend on the molecules alone, so they are found once for a data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from molmeta.molecules.ragged import ragged_rows, row_offsets


@dataclass(frozen=True)
class Round:
    """The distinct environments of radius l, each by those of radius l − 1 that it is made of.

    Attributes
    ----------
    own : `[K_l]` int32, the environment of the same atom
    around : `[E_l]` int32, those of its neighbours
    bonds : `[E_l]` uint8, codes of the bonds to them
    offsets : `[K_l + 1]` int32, each environment's part of `around` and `bonds`
    """

    own: np.ndarray
    around: np.ndarray
    bonds: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True)
class Environments:
    """The environments of all atoms of many molecules.

    Attributes
    ----------
    codes : `[K_0]`, the atom code that is each environment of radius 0
    rounds : one `Round` for each radius from 1
    atoms : `[A]` int32, each atom's environment of the largest radius
    """

    codes: np.ndarray
    rounds: Sequence[Round]
    atoms: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes in all arrays."""
        rounds = sum(array.nbytes for part in self.rounds for array in vars(part).values())
        return self.codes.nbytes + self.atoms.nbytes + rounds


def distinct_environments(
    atom_code: np.ndarray, bonds: np.ndarray, bond_code: np.ndarray, radius: int, typed: bool
) -> Environments:
    """Refine the colours of atoms `radius` times, exactly (nothing is hashed).

    Parameters
    ----------
    atom_code : `[A]`
        Atoms that are alike have the same.
    bonds, bond_code : `[B, 2]`, `[B]`
        Each bond once, by the positions of its atoms in `atom_code`.
    radius : int
        Rounds.
    typed : bool
        Bonds of different codes make different environments.
    """
    ends = np.concatenate([bonds, bonds[:, ::-1]]).astype(np.int64)
    codes = np.concatenate([bond_code, bond_code])
    order = np.argsort(ends[:, 0], kind="stable")
    atom, neighbour, code = ends[order, 0], ends[order, 1], codes[order]
    offsets = row_offsets(np.bincount(atom, minlength=len(atom_code)))
    colour, first = pd.factorize(atom_code)
    rounds = []
    for _ in range(radius):
        before = colour
        count = int(before.max(initial=-1)) + 1
        around = before[neighbour] * 256 + code if typed else before[neighbour]
        colour = _refine(before, atom, around, offsets, count * 256 if typed else count)
        example = _first_of_each(colour)
        of, starts = ragged_rows(offsets, example)
        rounds.append(
            Round(
                before[example].astype(np.int32),
                before[neighbour[of]].astype(np.int32),
                code[of].astype(np.uint8),
                starts.astype(np.int32),
            )
        )
    return Environments(np.asarray(first), rounds, colour.astype(np.int32))


def _refine(
    own: np.ndarray, atom: np.ndarray, around: np.ndarray, offsets: np.ndarray, base: int
) -> np.ndarray:
    """New colours `[A]`: equal where an atom's colour and the bag of `around` are equal.

    The bag is read in sorted order, one neighbour at a time: (colour so far, next) is a pair of
    integers, numbered anew by the order of appearance; colours of bags of other sizes are others.
    """
    sorted_around = np.sort(atom * base + around) - atom * base
    degree, colour, used = np.diff(offsets), own.astype(np.int64), int(own.max(initial=-1)) + 1
    for position in range(int(degree.max(initial=0))):
        longer = np.flatnonzero(degree > position)
        pairs = colour[longer] * base + sorted_around[offsets[longer] + position]
        numbered, distinct = pd.factorize(pairs)
        colour[longer] = used + numbered
        used += len(distinct)
    return pd.factorize(colour)[0]


def _first_of_each(colour: np.ndarray) -> np.ndarray:
    """The first position of every colour 0..K − 1."""
    first = np.empty(int(colour.max(initial=-1)) + 1, dtype=np.int64)
    first[colour[::-1]] = np.arange(len(colour))[::-1]
    return first
