"""Measurements of a table: repeated, bounded, of which unit, how balanced, and how noisy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from molmeta import metrics
from molmeta.datasets import LARGEST_P, Table
from molmeta.errors import OneClassSupport
from molmeta.seeds import generator
from molmeta.tasks import Assay, Classification, exact
from molmeta.workbench.findings import Finding

PILE = 0.1  # share of the values that are one number
FEW = 8  # molecules of a class
RESAMPLES = 200


def duplicates(replicates: pd.DataFrame, table: Table) -> Finding:
    """Molecules that were measured several times, and those whose measurements disagree."""
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


def bounds(assay: Assay) -> Finding:
    """How many values are bounds."""
    if assay.censor is None:
        return Finding("bounds", "good", "every value is exact")
    below, above = int((assay.censor < 0).sum()), int((assay.censor > 0).sum())
    return Finding(
        "bounds",
        "note",
        f"{above} values are lower bounds (>) and {below} upper ones (<); the default learner "
        "reads them as such, a random forest takes them as values",
    )


def spread(assay: Assay) -> Finding:
    """Whether there is anything to tell apart."""
    distinct = len(np.unique(assay.values))
    if distinct == 1:
        text = f"all {len(assay)} values are {assay.values[0]:g}: nothing can be learned from them"
        return Finding("values", "warning", text)
    return Finding("values", "good", f"{distinct} different values")


def units(values: pd.Series) -> Finding:
    """Whether values can be −log10 of a molar concentration."""
    low, middle, high = values.min(), values.median(), values.max()
    span = f"values lie in {low:g} to {high:g}, median {middle:g}"
    if high > LARGEST_P or low < 0:
        return Finding(
            "units",
            "warning",
            f"{span}: that is no −log10 of a molar concentration. If they are nM, give "
            "9 − log10(nM), or --units nM; if µM, 6 − log10(µM). Higher must mean more active",
        )
    return Finding("units", "good", f"{span}, as −log10 of a molar concentration has")


def piles(assay: Assay) -> Finding:
    """Whether one value is a limit of measurement."""
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


def balance(assay: Assay, threshold: float | str) -> Finding:
    """How many are active at the threshold."""
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


def ceiling(assay: Assay, replicates: pd.DataFrame, threshold: float | str) -> Finding:
    """How well any model can do against measurements of this noise."""
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
