"""From molecules to blocks, by the featurisers that the registry has under their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rdkit import Chem

from molmeta import registry
from molmeta.errors import MolmetaError


def read_mols(smiles: Sequence[str]) -> list[Chem.Mol]:
    """The molecules of some SMILES.

    Raises
    ------
    MolmetaError
        RDKit cannot read a SMILES.
    """
    mols = [Chem.MolFromSmiles(text) for text in smiles]
    for text, mol in zip(smiles, mols, strict=True):
        if mol is None:
            raise MolmetaError(
                f"RDKit cannot read the SMILES {text!r}; standardise the list first, "
                "which reports every such row"
            )
    return mols


def featurize_smiles(smiles: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """The named blocks of some SMILES: `featurize` in another process."""
    return featurize(read_mols(smiles), names)


def featurize(mols: Sequence[Chem.Mol], names: Sequence[str]) -> dict[str, Any]:
    """The named blocks of some molecules: of many in one compiled pass, of others one by one."""
    made_by = {name: registry.lookup("featurizer", name) for name in names}
    served, known = registry.lookup("pass", "binary")(mols, made_by)
    others = {name: made() for name, made in made_by.items() if name not in served}
    blocks = _one_by_one(mols, others)
    left = np.flatnonzero(~known)
    if served and len(left):
        rest = _one_by_one(
            [mols[i] for i in left.tolist()], {name: made_by[name]() for name in served}
        )
        place = np.arange(len(mols))
        place[left] = len(mols) + np.arange(len(left))
        for name, block in served.items():
            served[name] = type(block).concatenate([block, rest[name]]).take(place)
    return {name: (served | blocks)[name] for name in names}


def _one_by_one(mols: Sequence[Chem.Mol], featurizers: dict[str, Any]) -> dict[str, Any]:
    rows: dict[str, list[Any]] = {name: [] for name in featurizers}
    for mol in mols:
        for name, featurizer in featurizers.items():
            rows[name].append(featurizer.row(mol))
    return {name: featurizer.collect(rows[name]) for name, featurizer in featurizers.items()}
