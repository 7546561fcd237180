"""Folded Morgan counts, RDKit's own."""

from __future__ import annotations

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from molmeta.molecules import BLOCK_WIDTHS, Counts

WIDTH = BLOCK_WIDTHS["ecfp4"]


class Ecfp4:
    """The `ecfp4` block: Morgan counts of radius 2, folded to 2,048 columns, without chirality.

    Equal to `rdFingerprintGenerator.GetMorganGenerator(2, fpSize=2048)`; a count above 255 is
    kept as 255.
    """

    def __init__(self) -> None:
        self._generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=WIDTH)

    def row(self, mol: Chem.Mol) -> dict[int, int]:
        """Count of each column that occurs."""
        return self._generator.GetCountFingerprint(mol).GetNonzeroElements()

    def collect(self, rows: list[dict[int, int]]) -> Counts:
        """All rows as sparse counts."""
        counts = [min(count, 255) for row in rows for count in row.values()]
        return Counts(
            columns=np.array([column for row in rows for column in row], dtype=np.uint16),
            counts=np.array(counts, dtype=np.uint8),
            offsets=np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]),
            width=WIDTH,
        )
