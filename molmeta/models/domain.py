"""Where a model may be believed: how far a molecule is from those that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rdkit import Chem, DataStructs
from rdkit.DataStructs import ExplicitBitVect
from tqdm import tqdm

from molmeta.molecules import ecfp4_bits, read_mol, scaffold

FARTHEST = 0.05  # the share of the measured molecules that would be outside themselves


@dataclass(frozen=True)
class Domain:
    """The applicability domain of a set of measured molecules.

    A molecule is inside if its nearest measured one is no farther than those of 95 % of the
    measured molecules are from theirs (Tanimoto's similarity of ECFP4, 2048 bits).

    Attributes
    ----------
    smiles : list of str
        The measured molecules.
    bits : list of ExplicitBitVect
    scaffolds : frozenset of str
        Their Bemis–Murcko scaffolds.
    least : float
        The similarity at which the domain ends.
    """

    smiles: list[str]
    bits: list[ExplicitBitVect]
    scaffolds: frozenset[str]
    least: float

    @classmethod
    def of(cls, smiles: Sequence[str]) -> Domain:
        """The domain of standardised SMILES."""
        mols = [read_mol(text) for text in smiles]
        bits = [ecfp4_bits(mol) for mol in mols]
        own = [
            max(DataStructs.BulkTanimotoSimilarity(one, bits[:i] + bits[i + 1 :]), default=1.0)
            for i, one in enumerate(bits)
        ]
        return cls(
            list(smiles),
            bits,
            frozenset(scaffold(mol) for mol in mols),
            float(np.quantile(own, FARTHEST, method="lower")),
        )

    def assess(self, mols: Sequence[Chem.Mol]) -> pd.DataFrame:
        """Of each molecule: `nearest` (measured), `similarity` to it, `new_scaffold`, `inside`."""
        shown = tqdm(mols, "nearest measured", unit=" molecules", delay=2, disable=None)
        place, similarity = self.nearest([ecfp4_bits(mol) for mol in shown])
        return pd.DataFrame(
            {
                "nearest": pd.Series([self.smiles[i] for i in place], dtype=object),
                "similarity": similarity,
                "new_scaffold": np.array(
                    [scaffold(mol) not in self.scaffolds for mol in mols], bool
                ),
                "inside": self.inside(similarity),
            }
        )

    def nearest(self, bits: Sequence[ExplicitBitVect]) -> tuple[np.ndarray, np.ndarray]:
        """Which measured molecule is nearest to each fingerprint, and how similar: `[n]` each."""
        place, similarity = np.zeros(len(bits), dtype=np.int64), np.zeros(len(bits))
        for row, one in enumerate(bits):
            similar = np.array(DataStructs.BulkTanimotoSimilarity(one, self.bits))
            place[row] = similar.argmax()
            similarity[row] = similar[place[row]]
        return place, similarity

    def inside(self, similarity: np.ndarray) -> np.ndarray:
        """Whether molecules of these similarities to their nearest are inside: `[n]` bool."""
        return similarity >= self.least
