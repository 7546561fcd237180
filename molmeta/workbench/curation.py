"""A look at somebody's table before anything is learned from it: what is odd, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from rdkit import Chem, DataStructs

from molmeta import metrics
from molmeta.datasets import Table, table_from_rows
from molmeta.errors import OneClassSupport
from molmeta.featurizers import Policy, Standardiser
from molmeta.molecules import connectivity, ecfp4_bits, read_mol, scaffold
from molmeta.seeds import generator
from molmeta.tasks import Assay, Classification, exact

Level = Literal["good", "note", "warning"]

CLIFF = 0.9  # similarity of two molecules that should be alike
STEP = 1.0  # tenfold in potency: what they should not differ by
PILE = 0.1  # share of the values that are one number
FEW = 8  # molecules of a class
LARGEST_P = 15.0  # of −log10 of a molar concentration
RESAMPLES = 200
LONG = 60  # characters of a SMILES in a sentence
ORGANIC = {"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I", "Se"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    topic : str
    level : {"good", "note", "warning"}
        A warning costs something, if nothing is done.
    text : str
        What was found and what to do.
    rows : DataFrame
        The rows or molecules that it is about, if any.
    """

    topic: str
    level: Level
    text: str
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class DataCheck:
    """Everything that was looked at in one assay, in the order in which to read it."""

    assay: str
    findings: list[Finding]

    def markdown(self) -> str:
        """As a list, warnings marked."""
        marks = {"good": "ok", "note": "note", "warning": "WARNING"}
        lines = [f"- {marks[f.level]}: **{f.topic}**: {f.text}" for f in self.findings]
        return "\n".join([f"## {self.assay}", "", *lines]) + "\n"

    def rows(self) -> pd.DataFrame:
        """The rows behind the findings, one table: `assay_id`, `topic` and what each has."""
        parts = [f.rows.assign(topic=f.topic) for f in self.findings if len(f.rows)]
        if not parts:
            return pd.DataFrame(columns=["assay_id", "topic"])
        found = pd.concat(parts, ignore_index=True)
        found.insert(0, "assay_id", self.assay)
        return found


def check_data(
    smiles: pd.Series,
    measured: pd.DataFrame,
    *,
    threshold: float | str = "median",
    policy: Policy | None = None,
    source: str = "the table",
) -> list[DataCheck]:
    """Check each assay of what `datasets.read_measurements` read.

    Parameters
    ----------
    threshold : float or str
        What is active, for the balance of the classes and the ceiling of a ranking.

    Raises
    ------
    DataError
        No row can be used.
    """
    policy, checks = policy or Policy(), []
    for name, part in measured.groupby("assay_id", sort=False):
        rows = part.assign(smiles=smiles.iloc[part["row"].to_numpy() - 1].to_numpy())
        numbered = part.assign(row=np.arange(1, len(part) + 1))
        table = table_from_rows(rows["smiles"], numbered, policy, f"{source}, assay {name}")
        checks.append(_check(str(name), rows, table, threshold))
    return checks


def _check(name: str, rows: pd.DataFrame, table: Table, threshold: float | str) -> DataCheck:
    rejected = table.report.rejected
    rejected = rejected.assign(row=rows["row"].to_numpy()[rejected["row"].to_numpy(int) - 1])
    assay = table.assays[name] if name in table.assays else None  # all its labels may be ties
    findings = [_size(rows, assay), _unreadable(rejected)]
    if assay is None:
        return DataCheck(name, findings)
    mols = [read_mol(text) for text in assay.molecules.smiles]
    replicates = _replicates(rows, table)
    findings += [_salts(rows), _stereo(assay, mols), _unusual(assay, mols)]
    findings += [_duplicates(replicates, table), _bounds(assay)]
    if not isinstance(assay.target, Classification):
        findings += [_units(rows["value"]), _piles(assay)]
    findings += [_balance(assay, threshold), _scaffolds(assay, mols), _cliffs(assay, mols)]
    findings.append(_ceiling(assay, replicates, threshold))
    return DataCheck(name, findings)


def _size(measured: pd.DataFrame, assay: Assay | None) -> Finding:
    n = len(assay) if assay is not None else 0
    text = f"{len(measured)} measurements, {n} distinct molecules that can be used"
    if n < 16:
        return Finding("size", "warning", text + "; below 16 a ranking is hardly more than chance")
    if n > 256:
        return Finding("size", "note", text + "; above 256 an ordinary QSAR model is as good")
    return Finding("size", "good", text)


def _unreadable(rejected: pd.DataFrame) -> Finding:
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


def _salts(rows: pd.DataFrame) -> Finding:
    mixed = rows[rows["smiles"].str.contains(".", regex=False)]
    if not len(mixed):
        return Finding("salts", "good", "no salts or mixtures")
    return Finding(
        "salts",
        "note",
        f"{len(mixed)} rows are salts or mixtures; the largest organic fragment stands for each",
        mixed[["row", "smiles"]],
    )


def _stereo(assay: Assay, mols: Sequence[Chem.Mol]) -> Finding:
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


def _unusual(assay: Assay, mols: Sequence[Chem.Mol]) -> Finding:
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


def _replicates(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Exact measurements of molecules that have several: `row`, `smiles`, `value`."""
    one = Standardiser(table.policy)
    known = rows[rows["censor"] == 0]
    known = known.assign(smiles=[one(text).smiles for text in known["smiles"]])
    found = known[(known["smiles"] != "") & known["smiles"].duplicated(keep=False)]
    return found[["row", "smiles", "value"]].sort_values("smiles", kind="stable")


def _duplicates(replicates: pd.DataFrame, table: Table) -> Finding:
    conflicts, n = table.report.conflicts, replicates["smiles"].nunique()
    if not table.report.merged:
        return Finding("duplicates", "good", "each molecule stands once")
    text = f"{n} molecules were measured several times, {table.report.merged} rows are merged"
    if not len(conflicts):
        return Finding("duplicates", "note", text + "; they agree", replicates)
    worst = conflicts.iloc[(conflicts["high"] - conflicts["low"]).argmax()]
    return Finding(
        "duplicates",
        "warning",
        f"{text}; {len(conflicts)} disagree (the most: {worst['smiles']}, {worst['low']:g} to "
        f"{worst['high']:g}; {worst['action']}): see whether these are one experiment",
        conflicts.drop(columns="assay_id"),
    )


def _bounds(assay: Assay) -> Finding:
    if assay.censor is None:
        return Finding("bounds", "good", "every value is exact")
    below, above = int((assay.censor < 0).sum()), int((assay.censor > 0).sum())
    return Finding(
        "bounds",
        "note",
        f"{above} values are lower bounds (>) and {below} upper ones (<); the default learner "
        "reads them as such, a random forest takes them as values",
    )


def _units(values: pd.Series) -> Finding:
    low, middle, high = values.min(), values.median(), values.max()
    span = f"values lie in {low:g} to {high:g}, median {middle:g}"
    if high > LARGEST_P or low < 0:
        return Finding(
            "units",
            "warning",
            f"{span}: that is no −log10 of a molar concentration. If they are nM, give "
            "9 − log10(nM); if µM, 6 − log10(µM). A higher value must mean more active",
        )
    return Finding("units", "good", f"{span}, as −log10 of a molar concentration has")


def _piles(assay: Assay) -> Finding:
    values = assay.values[exact(assay)]
    counts = pd.Series(values).value_counts()
    if len(values) < 10 or counts.iloc[0] < max(PILE * len(values), 4):
        return Finding("piles", "good", "no value stands out as a limit of measurement")
    value, count = float(counts.index[0]), int(counts.iloc[0])
    end = {min(values): "<", max(values): ">"}.get(value, "")
    advice = f"write them as {end}{value:g}" if end else "see whether it is a default"
    return Finding(
        "piles",
        "warning",
        f"{count} of {len(values)} values are {value:g}: if that is a limit of measurement, "
        + advice,
    )


def _balance(assay: Assay, threshold: float | str) -> Finding:
    try:
        binary = assay.binarise(threshold)
    except OneClassSupport as error:
        return Finding("balance", "warning", str(error))
    ones = int(binary.active.sum())
    text = f"{ones} active, {len(binary) - ones} inactive"
    if "active" in binary.info:
        text += f" (active: {binary.info['active']})"
    if min(ones, len(binary) - ones) < FEW:
        return Finding(
            "balance",
            "warning",
            f"{text}: fewer than {FEW} of a class teach little; measure more, or move the "
            "threshold",
        )
    return Finding("balance", "good", text)


def _scaffolds(assay: Assay, mols: Sequence[Chem.Mol]) -> Finding:
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


def _cliffs(assay: Assay, mols: Sequence[Chem.Mol]) -> Finding:
    pairs = pd.DataFrame(_cliff_pairs(assay, [ecfp4_bits(mol) for mol in mols]))
    if not len(pairs):
        return Finding("activity cliffs", "good", "no two alike molecules are far apart")
    pairs = pairs.sort_values("difference", ascending=False, kind="stable")
    involved = len({*pairs["smiles"], *pairs["other"]})
    worst = pairs.iloc[0]
    return Finding(
        "activity cliffs",
        "note",
        f"{involved} molecules are in pairs ({len(pairs)}) of a similarity of {CLIFF} or more that "
        f"differ {'in class' if isinstance(assay.target, Classification) else f'by {STEP:g} up'} "
        f"(the largest: {_short(worst['smiles'])} and {_short(worst['other'])}): either what is "
        "most worth knowing, or a mistake",
        pairs,
    )


def _short(smiles: str) -> str:
    return smiles if len(smiles) <= LONG else smiles[:LONG] + "…"


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


def _ceiling(assay: Assay, replicates: pd.DataFrame, threshold: float | str) -> Finding:
    topic, groups = "noise ceiling", replicates.groupby("smiles")["value"]
    if isinstance(assay.target, Classification):
        if not len(replicates):
            return Finding(topic, "note", "unknown: no molecule was measured twice")
        pairs = [a == b for _, g in groups for a, b in combinations(g, 2)]
        return Finding(
            topic,
            "note",
            f"of {len(pairs)} pairs of repeated labels {100 * np.mean(pairs):.0f} % agree: no "
            "model can do better against single labels",
        )
    freedom = int((groups.count() - 1).sum())
    if freedom < 5:
        return Finding(
            topic, "note", f"unknown: {freedom} repeated measurements do not tell the noise"
        )
    noise = float(np.sqrt((groups.var(ddof=1) * (groups.count() - 1)).sum() / freedom))
    spread = float(np.var(assay.values))
    best = max(0.0, 1 - noise**2 / spread) if spread else 0.0
    area = _best_area(assay, noise, threshold)
    return Finding(
        topic,
        "note" if best > 0.5 else "warning",
        f"repeated measurements differ by {noise:.2f} (standard deviation, {freedom} degrees of "
        f"freedom): against single measurements no model can pass R² {best:.2f}"
        + (f" or ROC-AUC {area:.2f}" if area else ""),
    )


def _best_area(assay: Assay, noise: float, threshold: float | str) -> float | None:
    """ROC-AUC of the measured values against the same, measured again with this noise."""
    rng, areas = generator("noise ceiling", len(assay)), []
    cut = float(np.median(assay.values)) if threshold == "median" else float(threshold)
    for _ in range(RESAMPLES):
        again = assay.values + rng.normal(0, noise, len(assay))
        active = (again > cut).astype(int)
        if 0 < active.sum() < len(active):
            areas.append(metrics.roc_auc(active, assay.values))
    return float(np.mean(areas)) if areas else None
