"""What the known assays say of a molecule: its labels there, as a feature block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from molmeta.molecules import Counts, Molecules
from molmeta.tasks.assay import Assay

BLOCK = "train_assay_labels"


@dataclass(frozen=True)
class KnownLabels:
    """Column 2t is 1 where a molecule is inactive in the t-th known assay, 2t + 1 where active.

    Attributes
    ----------
    flags : Counts
        `[n, 2 T]`.
    active : ndarray
        `[T]`, the share of actives in each known assay.
    """

    flags: Counts
    active: np.ndarray

    def __len__(self) -> int:
        return len(self.flags)

    def take(self, index: np.ndarray) -> KnownLabels:
        """The rows `index`."""
        return KnownLabels(self.flags.take(index), self.active)

    @classmethod
    def concatenate(cls, parts: Sequence[KnownLabels]) -> KnownLabels:
        """Blocks laid end to end."""
        return cls(Counts.concatenate([part.flags for part in parts]), parts[0].active)


def attach_known_labels(known: Sequence[Assay], views: Sequence[Molecules]) -> None:
    """Give every molecule behind some views the block `train_assay_labels`.

    A molecule that was measured in none of the binary assays `known` has an empty row; in a
    molecule-disjoint split those of the test are all empty.
    """
    labels: dict[str, list[int]] = {}
    for t, assay in enumerate(known):
        for smiles, active in zip(assay.molecules.smiles, assay.active, strict=True):
            labels.setdefault(smiles, []).append(2 * t + int(active))
    share = np.array([assay.active.mean() for assay in known])
    for molecules in Molecules.stores(views):
        rows = [labels.get(smiles, []) for smiles in molecules.smiles]
        columns = np.array([column for row in rows for column in row], dtype=np.int32)
        offsets = np.cumsum([0, *map(len, rows)])
        ones = np.ones(len(columns), dtype=np.uint8)
        flags = Counts(columns, ones, offsets, 2 * len(known))
        molecules.attach(BLOCK, KnownLabels(flags, share))
