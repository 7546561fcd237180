"""Goal 5: SMILES to graphs, against chemprop's and DeepChem's featurisers."""

from __future__ import annotations

import contextlib
import io
import warnings

from common import Row, main, measured, side_by_side, smiles
from peers import NAMES, Chemprop
from rdkit import RDLogger

from molmeta.molecules import Molecules

FEW = 200  # of the molecules, for what is slow


def ours(_: int) -> None:
    """Our graph block, from SMILES; as many as these load what is compiled in the first round."""
    Molecules(smiles()).compute("graph")


def against_chemprop(path: str, target: float) -> Row:
    """Chemprop 2's default `SimpleMoleculeMolGraphFeaturizer`, or its features in C++."""
    unit = f"s for {len(smiles())} molecules"
    with Chemprop(f"featurise{path}") as theirs:
        return side_by_side("featurisation", NAMES[path], ours, theirs, target, unit=unit)


def against_deepchem(name: str, target: float) -> Row:
    """One of DeepChem's featurisers, scaled from `FEW` molecules to all."""
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import deepchem

        featurizer = getattr(deepchem.feat, name)()
    scale = len(smiles()) / FEW
    theirs = measured(lambda _: featurizer.featurize(smiles()[:FEW]))
    return side_by_side(
        "featurisation",
        f"DeepChem {name}",
        ours,
        lambda number: theirs(number) * scale,
        target,
        unit=f"s for {len(smiles())} molecules",
        rounds=3,
    )


def rows() -> list[Row]:
    """Chemprop, and two of DeepChem (without the warnings that they draw from RDKit)."""
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    return [
        against_chemprop("", 2),
        against_chemprop("-cuik", 1),
        against_deepchem("MolGraphConvFeaturizer", 20),
        against_deepchem("ConvMolFeaturizer", 2),
    ]


if __name__ == "__main__":
    main(rows)
