"""Folded counts of substructures, RDKit's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator as rdkit_generators

from molmeta.molecules import FINGERPRINT_WIDTH, Counts, row_offsets


class Fingerprint:
    """Counts of one of RDKit's generators, folded to 2,048 columns, without chirality.

    A count above 255 is kept as 255.

    Parameters
    ----------
    generator : callable
        One of `rdFingerprintGenerator`'s, which is called with `fpSize` and `options`.
    """

    def __init__(self, generator: Callable[..., Any], **options: Any) -> None:
        self._generator = generator(fpSize=FINGERPRINT_WIDTH, **options)

    def row(self, mol: Chem.Mol) -> dict[int, int]:
        """Count of each column that occurs."""
        return self._generator.GetCountFingerprint(mol).GetNonzeroElements()

    def collect(self, rows: list[dict[int, int]]) -> Counts:
        """All rows as sparse counts."""
        return collect_counts(rows)


def collect_counts(rows: Sequence[Mapping[int, int]]) -> Counts:
    """Counts by column of some molecules as a block of `FINGERPRINT_WIDTH` columns."""
    counts = [min(count, 255) for row in rows for count in row.values()]
    return Counts(
        columns=np.array([column for row in rows for column in row], dtype=np.uint16),
        counts=np.array(counts, dtype=np.uint8),
        offsets=row_offsets([len(row) for row in rows]),
        width=FINGERPRINT_WIDTH,
    )


def ecfp4() -> Fingerprint:
    """The `ecfp4` block: Morgan counts of radius 2 (Rogers, Hahn 2010)."""
    return Fingerprint(rdkit_generators.GetMorganGenerator, radius=2)


def ecfp6() -> Fingerprint:
    """The `ecfp6` block: Morgan counts of radius 3."""
    return Fingerprint(rdkit_generators.GetMorganGenerator, radius=3)


def fcfp4() -> Fingerprint:
    """The `fcfp4` block: Morgan counts of radius 2 on pharmacophoric features of atoms."""
    features = rdkit_generators.GetMorganFeatureAtomInvGen()
    return Fingerprint(
        rdkit_generators.GetMorganGenerator, radius=2, atomInvariantsGenerator=features
    )


def torsion() -> Fingerprint:
    """The `torsion` block: topological torsions, paths of four atoms (Nilakantan et al. 1987)."""
    return Fingerprint(rdkit_generators.GetTopologicalTorsionGenerator)


def atom_pair() -> Fingerprint:
    """The `atom_pair` block: pairs of atoms with their distance (Carhart et al. 1985)."""
    return Fingerprint(rdkit_generators.GetAtomPairGenerator)
