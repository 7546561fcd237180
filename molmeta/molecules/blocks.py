"""Feature blocks: what many molecules are to an encoder, in flat arrays a row a molecule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self

import numpy as np

from molmeta.molecules.ragged import join_offsets, ragged_rows

# the schema of the blocks: what encoders may rely on
ATOM_SIZES = {  # feature of an atom: number of its categories
    "element": 16,
    "degree": 7,
    "charge": 5,
    "hydrogens": 5,
    "hybridisation": 7,
    "aromatic": 2,
    "ring": 7,
    "rings": 4,
    "chirality": 3,
    "donor": 2,
    "acceptor": 2,
}
BOND_SIZES = {"type": 5, "conjugated": 2, "ring": 2, "stereo": 3}
BOND_CODES = int(np.prod(tuple(BOND_SIZES.values())))
FINGERPRINTS = ("ecfp4", "ecfp6", "fcfp4", "torsion", "atom_pair", "weisfeiler_lehman")
FINGERPRINT_WIDTH = 2048
ATOM_WIDTHS = {"atoms75": 75}  # features of an atom in blocks of `FeatureGraphs`
BLOCK_WIDTHS = dict.fromkeys(FINGERPRINTS, FINGERPRINT_WIDTH) | {"descriptors": 11, "minimol": 512}


class Block(Protocol):
    """What every block can do."""

    def __len__(self) -> int: ...
    def take(self, index: np.ndarray) -> Self:
        """The rows `index`."""
        ...

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Blocks laid end to end."""
        ...


@dataclass(frozen=True)
class Dense:
    """A float row a molecule: `values [n, d]`."""

    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: np.ndarray) -> Dense:
        """The rows `index`."""
        return Dense(self.values[index])

    @classmethod
    def concatenate(cls, parts: Sequence[Dense]) -> Dense:
        """Blocks laid end to end."""
        return cls(np.concatenate([part.values for part in parts]))


@dataclass(frozen=True)
class Counts:
    """Sparse counts: molecule i has `counts[o_i:o_i+1]` at `columns[o_i:o_i+1]` of `width`."""

    columns: np.ndarray
    counts: np.ndarray
    offsets: np.ndarray
    width: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, index: np.ndarray) -> Counts:
        """The rows `index`."""
        rows, offsets = ragged_rows(self.offsets, index)
        return Counts(self.columns[rows], self.counts[rows], offsets, self.width)

    def dense(self) -> np.ndarray:
        """`[n, width]` float32."""
        out = np.zeros((len(self), self.width), dtype=np.float32)
        self.write_into(out)
        return out

    def write_into(self, rows: np.ndarray) -> None:
        """Write the counts into `rows [n, width]`, which stand at zero."""
        rows[np.repeat(np.arange(len(self)), np.diff(self.offsets)), self.columns] = self.counts

    @classmethod
    def concatenate(cls, parts: Sequence[Counts]) -> Counts:
        """Blocks laid end to end."""
        return cls(
            np.concatenate([part.columns for part in parts]),
            np.concatenate([part.counts for part in parts]),
            join_offsets([part.offsets for part in parts]),
            parts[0].width,
        )


@dataclass(frozen=True)
class Graphs:
    """Molecular graphs in six flat arrays, with the categories of ATOM_SIZES and BOND_SIZES.

    Attributes
    ----------
    atom_table : `[V, F]` uint8, the distinct atoms: one category a feature
    atom_code : `[A]` uint16, each atom's row of `atom_table`
    atom_offsets : `[n + 1]` int32
    bonds : `[B, 2]` int16, each bond once, atoms numbered within their molecule
    bond_code : `[B]` uint8, mixed-radix number of the bond's categories
    bond_offsets : `[n + 1]` int32
    """

    atom_table: np.ndarray
    atom_code: np.ndarray
    atom_offsets: np.ndarray
    bonds: np.ndarray
    bond_code: np.ndarray
    bond_offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.atom_offsets) - 1

    def take(self, index: np.ndarray) -> Self:
        """The rows `index`."""
        atoms, atom_offsets = ragged_rows(self.atom_offsets, index)
        bonds, bond_offsets = ragged_rows(self.bond_offsets, index)
        return type(self)(
            self.atom_table,
            self.atom_code[atoms],
            atom_offsets.astype(np.int32),
            self.bonds[bonds],
            self.bond_code[bonds],
            bond_offsets.astype(np.int32),
        )

    @property
    def nbytes(self) -> int:
        """Bytes in all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def atom_features(self) -> np.ndarray:
        """The atom table one-hot encoded, `[V, sum(atom_sizes)]` float32."""
        return one_hot(self.atom_table, tuple(ATOM_SIZES.values()))

    def bond_features(self) -> np.ndarray:
        """Every bond code one-hot encoded, `[prod(bond_sizes), sum(bond_sizes)]` float32."""
        sizes = tuple(BOND_SIZES.values())
        codes = np.arange(BOND_CODES)
        return one_hot(np.stack(np.unravel_index(codes, sizes), axis=1), sizes)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Blocks laid end to end, under one table of distinct atoms."""
        known: dict[bytes, int] = {}
        recode = [
            [known.setdefault(row.tobytes(), len(known)) for row in part.atom_table]
            for part in parts
        ]
        first = parts[0].atom_table
        table = np.frombuffer(b"".join(known), first.dtype).reshape(-1, first.shape[1])
        codes = [np.array(r)[part.atom_code] for r, part in zip(recode, parts, strict=True)]
        return cls(
            table,
            np.concatenate(codes).astype(np.uint16),
            join_offsets([part.atom_offsets for part in parts]).astype(np.int32),
            np.concatenate([part.bonds for part in parts]),
            np.concatenate([part.bond_code for part in parts]),
            join_offsets([part.bond_offsets for part in parts]).astype(np.int32),
        )


@dataclass(frozen=True)
class FeatureGraphs(Graphs):
    """Molecular graphs whose atoms have features that are no categories.

    Attributes
    ----------
    atom_table : `[V, F]` int8, the features of the distinct atoms
    """

    def atom_features(self) -> np.ndarray:
        """The atom table as it is, `[V, F]` float32."""
        return self.atom_table.astype(np.float32)


def one_hot(categories: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Rows of categories `[n, F]` as one-hot rows `[n, sum(sizes)]` float32."""
    out = np.zeros((len(categories), sum(sizes)), dtype=np.float32)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    np.put_along_axis(out, categories.astype(np.int64) + starts, 1.0, axis=1)
    return out
