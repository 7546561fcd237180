"""Eleven whole-molecule descriptors, RDKit's own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molmeta.molecules import Dense

# name: (function, centre, spread); the constants are round numbers typical of molecules in ChEMBL
DESCRIPTORS: dict[str, tuple[Callable[[Chem.Mol], float], float, float]] = {
    "molecular weight (Da)": (rdMolDescriptors._CalcMolWt, 430.0, 100.0),
    "logP (Crippen)": (lambda mol: rdMolDescriptors.CalcCrippenDescriptors(mol)[0], 4.0, 1.5),
    "TPSA (Å²)": (rdMolDescriptors.CalcTPSA, 80.0, 35.0),
    "hydrogen-bond donors": (rdMolDescriptors.CalcNumHBD, 1.7, 1.2),
    "hydrogen-bond acceptors": (rdMolDescriptors.CalcNumHBA, 5.3, 2.0),
    "rotatable bonds": (rdMolDescriptors.CalcNumRotatableBonds, 6.0, 3.0),
    "rings": (rdMolDescriptors.CalcNumRings, 3.9, 1.2),
    "aromatic rings": (rdMolDescriptors.CalcNumAromaticRings, 2.7, 1.0),
    "fraction of sp3 carbons": (rdMolDescriptors.CalcFractionCSP3, 0.36, 0.19),
    "heteroatoms": (rdMolDescriptors.CalcNumHeteroatoms, 7.0, 2.6),
    "heavy atoms": (lambda mol: mol.GetNumHeavyAtoms(), 30.0, 7.0),
}
MEANS = np.array([mean for _, mean, _ in DESCRIPTORS.values()], dtype=np.float32)
SPREADS = np.array([spread for _, _, spread in DESCRIPTORS.values()], dtype=np.float32)


class Descriptors:
    """The `descriptors` block: `[n, 11]`, each shifted and scaled by fixed constants.

    The constants are those of drug-like molecules (see `DESCRIPTORS`), the same for every data
    set, so that a molecule's row depends on nothing but the molecule.
    """

    def row(self, mol: Chem.Mol) -> list[float]:
        """The descriptors in their own units."""
        return [function(mol) for function, _, _ in DESCRIPTORS.values()]

    def collect(self, rows: list[list[float]]) -> Dense:
        """All rows, scaled."""
        values = np.array(rows, dtype=np.float32).reshape(-1, len(DESCRIPTORS))
        return Dense((values - MEANS) / SPREADS)
