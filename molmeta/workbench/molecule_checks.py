"""Molecules of a table that cannot be used, or that a model sees as others do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from rdkit import Chem, DataStructs
from rdkit.DataStructs import ExplicitBitVect

from molmeta.featurizers import quiet_rdkit
from molmeta.molecules import ecfp4_bits, parent, read_mol, scaffold, tautomer
from molmeta.seeds import generator
from molmeta.tasks import Assay, Classification
from molmeta.workbench.findings import Finding
from molmeta.workbench.inputs import shortened

CLIFF = 0.9  # similarity of two molecules that should be alike
LARGE = 4000  # molecules of which all pairs are looked at
STEP = 1.0  # tenfold in potency: what they should not differ by
LONG = 60  # characters of a SMILES in a sentence
ORGANIC = {"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I", "Se"}
_NUMBERS = [Chem.GetPeriodicTable().GetAtomicNumber(symbol) for symbol in sorted(ORGANIC)]
OTHER = Chem.MolFromSmarts("[" + ";".join(f"!#{number}" for number in _NUMBERS) + "]")
CARBON = Chem.MolFromSmarts("[#6]")


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


class Seen(NamedTuple):
    """What is asked of a molecule, whatever assay it was measured in."""

    smiles: str
    unset: int
    flat: str
    tautomer: str
    scaffold: str
    odd: str
    bits: ExplicitBitVect


def look(texts: Sequence[str]) -> list[Seen]:
    """Look at molecules, given by their standardised SMILES."""
    with quiet_rdkit():
        return [_seen(text) for text in texts]


def _seen(smiles: str) -> Seen:
    mol = read_mol(smiles)
    return Seen(
        *(smiles, _unset_centres(mol), parent(mol), tautomer(mol), scaffold(mol)),
        *(unusual_reason(mol), ecfp4_bits(mol)),
    )


def _groups(assay: Assay, keys: Sequence[str]) -> tuple[pd.DataFrame, int, int]:
    """Molecules that share a key with another; how many sets, and how many sets that differ."""
    rows = pd.DataFrame({"smiles": assay.molecules.smiles, "value": assay.values, "key": keys})
    twins = rows[rows["key"].duplicated(keep=False)].sort_values("key", kind="stable")
    groups = twins.groupby("key")["value"]
    differ = int((groups.max() - groups.min() >= STEP).sum()) if len(twins) else 0
    return twins.drop(columns="key"), groups.ngroups, differ


def stereo(assay: Assay, seen: Sequence[Seen]) -> Finding:
    """Stereo centres that are not set, and stereoisomers, which fingerprints do not tell apart."""
    open_ = sum(one.unset > 0 for one in seen)
    text = f"{open_} molecules have stereo centres that are not set"
    twins, sets, differ = _groups(assay, [one.flat for one in seen])
    if not len(twins):
        return Finding("stereo", "note" if open_ else "good", text + "; no stereoisomers")
    return Finding(
        "stereo",
        "warning" if differ else "note",
        f"{text}; {differ} of {sets} sets of stereoisomers differ by {STEP:g} or "
        "more: fingerprints here do not see chirality, so such pairs look the same to the model",
        twins,
    )


def tautomers(assay: Assay, seen: Sequence[Seen]) -> Finding:
    """Molecules that are drawn as different tautomers of one, and so stand apart."""
    flats = pd.Series([one.flat for one in seen])
    counts = flats.groupby([one.tautomer for one in seen]).transform("nunique")
    keys = [
        one.tautomer if many else one.smiles for one, many in zip(seen, counts > 1, strict=True)
    ]
    twins, sets, differ = _groups(assay, keys)
    if not len(twins):
        return Finding("tautomers", "good", "no molecule stands as two tautomers")
    return Finding(
        "tautomers",
        "warning" if differ else "note",
        f"{sets} molecules stand as several tautomers, {differ} of which differ by {STEP:g} or "
        "more; draw each as one, or merge them: Policy(tautomers='merge'), as of a model that is "
        "trained with it",
        twins,
    )


def _unset_centres(mol: Chem.Mol) -> int:
    return sum(
        one.type == Chem.StereoType.Atom_Tetrahedral
        and one.specified == Chem.StereoSpecified.Unspecified
        for one in Chem.FindPotentialStereo(mol)
    )


def unusual(assay: Assay, seen: Sequence[Seen]) -> Finding:
    """Molecules that are not small and organic."""
    rows = pd.DataFrame({"smiles": assay.molecules.smiles, "reason": [one.odd for one in seen]})
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


def unusual_reason(mol: Chem.Mol) -> str:
    """Why a molecule is unlike those that models were trained on; "" where it is not."""
    if mol.HasSubstructMatch(OTHER):
        others = sorted({atom.GetSymbol() for atom in mol.GetAtoms()} - ORGANIC)
        return f"it has {', '.join(others)}"
    if mol.GetNumHeavyAtoms() > 70:
        return f"{mol.GetNumHeavyAtoms()} heavy atoms"
    return "" if mol.HasSubstructMatch(CARBON) else "no carbon"


def scaffolds(seen: Sequence[Seen]) -> Finding:
    """Whether one scaffold has most of the molecules."""
    counts = pd.Series([one.scaffold for one in seen]).value_counts()
    share = counts.iloc[0] / len(seen)
    text = f"{len(counts)} scaffolds; the most common has {100 * share:.0f} % of the molecules"
    if share > 0.5 and len(counts) > 1:
        return Finding(
            "scaffolds",
            "note",
            f"{text} ({counts.index[0]}): a cross-validation flatters what is new; compare by "
            "scaffold as well",
        )
    return Finding("scaffolds", "good", text)


def cliffs(assay: Assay, seen: Sequence[Seen]) -> Finding:
    """Pairs of alike molecules that are far apart in activity; of a large assay, of a part."""
    among = ""
    if len(assay) > LARGE:
        part = np.sort(generator("cliffs", len(assay)).permutation(len(assay))[:LARGE])
        assay, seen = assay.take(part), [seen[int(i)] for i in part]
        among = f"; looked for among {LARGE:,}"
    pairs = pd.DataFrame(_cliff_pairs(assay, [one.bits for one in seen]))
    if not len(pairs):
        return Finding("activity cliffs", "good", "no two alike molecules are far apart" + among)
    pairs = pairs.sort_values("difference", ascending=False, kind="stable")
    involved = len({*pairs["smiles"], *pairs["other"]})
    largest = " and ".join(shortened(pairs.iloc[0][side], LONG) for side in ("smiles", "other"))
    return Finding(
        "activity cliffs",
        "note",
        f"{involved} molecules are in pairs ({len(pairs)}) of a similarity of {CLIFF} or more that "
        f"differ {'in class' if isinstance(assay.target, Classification) else f'by {STEP:g} up'} "
        f"(the largest: {largest}): either what is most worth knowing, or a mistake{among}",
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
