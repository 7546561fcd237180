"""Molecules of a table that cannot be used, or that a model sees as others do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from rdkit import Chem, DataStructs

from molmeta.molecules import connectivity, ecfp4_bits, scaffold
from molmeta.tasks import Assay, Classification
from molmeta.workbench.findings import Finding
from molmeta.workbench.inputs import shortened

CLIFF = 0.9  # similarity of two molecules that should be alike
STEP = 1.0  # tenfold in potency: what they should not differ by
LONG = 60  # characters of a SMILES in a sentence
ORGANIC = {"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I", "Se"}


def unreadable(rejected: pd.DataFrame) -> Finding:
    """Rows whose molecule cannot be used."""
    if not len(rejected):
        return Finding("molecules", "good", "every SMILES can be read")
    first = rejected.iloc[0]
    return Finding(
        "molecules",
        "warning",
        f"{len(rejected)} rows cannot be used (the first: row {first['row']}, "
        f"{first['smiles']!r}: {first['reason']}); correct them, or they are left out",
        rejected,
    )


def salts(rows: pd.DataFrame) -> Finding:
    """Salts and mixtures, of which one fragment is kept."""
    mixed = rows[rows["smiles"].str.contains(".", regex=False)]
    if not len(mixed):
        return Finding("salts", "good", "no salts or mixtures")
    return Finding(
        "salts",
        "note",
        f"{len(mixed)} rows are salts or mixtures; the largest organic fragment stands for each",
        mixed[["row", "smiles"]],
    )


def stereo(assay: Assay, mols: Sequence[Chem.Mol]) -> Finding:
    """Stereo centres that are not set, and stereoisomers, which fingerprints do not tell apart."""
    unset = [_unset_centres(mol) for mol in mols]
    keys = pd.Series([connectivity(mol) for mol in mols])
    rows = pd.DataFrame({"smiles": assay.molecules.smiles, "value": assay.values, "key": keys})
    twins = rows[rows["key"].duplicated(keep=False)].sort_values("key", kind="stable")
    open_ = sum(n > 0 for n in unset)
    text = f"{open_} molecules have stereo centres that are not set"
    if not len(twins):
        return Finding("stereo", "note" if open_ else "good", text + "; no stereoisomers")
    groups = twins.groupby("key")["value"]
    differ = int((groups.max() - groups.min() >= STEP).sum())
    return Finding(
        "stereo",
        "warning" if differ else "note",
        f"{text}; {differ} of {groups.ngroups} sets of stereoisomers differ by {STEP:g} or "
        "more: fingerprints here do not see chirality, so such pairs look the same to the model",
        twins.drop(columns="key"),
    )


def _unset_centres(mol: Chem.Mol) -> int:
    found = Chem.FindMolChiralCenters(mol, includeUnassigned=True, useLegacyImplementation=False)
    return sum(label == "?" for _, label in found)


def unusual(assay: Assay, mols: Sequence[Chem.Mol]) -> Finding:
    """Molecules that are not small and organic."""
    reasons = [_unusual_reason(mol) for mol in mols]
    rows = pd.DataFrame({"smiles": assay.molecules.smiles, "reason": reasons})
    rows = rows[rows["reason"] != ""]
    if not len(rows):
        return Finding("chemistry", "good", "small organic molecules throughout")
    return Finding(
        "chemistry",
        "note",
        f"{len(rows)} molecules are unlike those that models were trained on (the first: "
        f"{rows.iloc[0]['reason']}); believe predictions about them less",
        rows,
    )


def _unusual_reason(mol: Chem.Mol) -> str:
    others = sorted({atom.GetSymbol() for atom in mol.GetAtoms()} - ORGANIC)
    if others:
        return f"it has {', '.join(others)}"
    if mol.GetNumHeavyAtoms() > 70:
        return f"{mol.GetNumHeavyAtoms()} heavy atoms"
    return "" if any(a.GetSymbol() == "C" for a in mol.GetAtoms()) else "no carbon"


def scaffolds(assay: Assay, mols: Sequence[Chem.Mol]) -> Finding:
    """Whether one scaffold has most of the molecules."""
    counts = pd.Series([scaffold(mol) for mol in mols]).value_counts()
    share = counts.iloc[0] / len(assay)
    text = f"{len(counts)} scaffolds; the most common has {100 * share:.0f} % of the molecules"
    if share > 0.5 and len(counts) > 1:
        return Finding(
            "scaffolds",
            "note",
            f"{text} ({counts.index[0]}): a cross-validation flatters what is new; compare by "
            "scaffold as well",
        )
    return Finding("scaffolds", "good", text)


def cliffs(assay: Assay, mols: Sequence[Chem.Mol]) -> Finding:
    """Pairs of alike molecules that are far apart in activity."""
    pairs = pd.DataFrame(_cliff_pairs(assay, [ecfp4_bits(mol) for mol in mols]))
    if not len(pairs):
        return Finding("activity cliffs", "good", "no two alike molecules are far apart")
    pairs = pairs.sort_values("difference", ascending=False, kind="stable")
    involved = len({*pairs["smiles"], *pairs["other"]})
    largest = " and ".join(shortened(pairs.iloc[0][side], LONG) for side in ("smiles", "other"))
    return Finding(
        "activity cliffs",
        "note",
        f"{involved} molecules are in pairs ({len(pairs)}) of a similarity of {CLIFF} or more that "
        f"differ {'in class' if isinstance(assay.target, Classification) else f'by {STEP:g} up'} "
        f"(the largest: {largest}): either what is most worth knowing, or a mistake",
        pairs,
    )


def _cliff_pairs(assay: Assay, bits: Sequence) -> Iterator[dict[str, object]]:
    step = 1.0 if isinstance(assay.target, Classification) else STEP
    for i in range(len(bits) - 1):
        similar = np.array(DataStructs.BulkTanimotoSimilarity(bits[i], list(bits[i + 1 :])))
        for j in np.flatnonzero(similar >= CLIFF) + i + 1:
            difference = abs(assay.values[i] - assay.values[j])
            if difference >= step:
                yield {
                    "smiles": assay.molecules.smiles[i],
                    "other": assay.molecules.smiles[j],
                    "similarity": round(float(similar[j - i - 1]), 3),
                    "value": assay.values[i],
                    "other_value": assay.values[j],
                    "difference": difference,
                }
