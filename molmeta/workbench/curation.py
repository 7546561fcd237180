"""A look at somebody's table before anything is learned from it: what is odd, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np
import pandas as pd
from tqdm import tqdm

from molmeta.datasets import Measurements, Table, standardised, table_from_rows
from molmeta.featurizers import Policy, Standardised, quiet_rdkit
from molmeta.processes import in_chunks
from molmeta.tasks import Assay, Classification
from molmeta.workbench.findings import DataCheck, Finding
from molmeta.workbench.molecule_checks import (
    Seen,
    cliffs,
    look,
    salts,
    scaffolds,
    stereo,
    tautomers,
    unreadable,
    unusual,
)
from molmeta.workbench.value_checks import (
    balance,
    bounds,
    ceiling,
    duplicates,
    piles,
    spread,
    units,
)


def check_data(
    read: Measurements,
    *,
    threshold: float | str = "median",
    policy: Policy | None = None,
    source: str = "the table",
    workers: int = 1,
) -> list[DataCheck]:
    """Check each assay of what `datasets.read_measurements` read.

    Parameters
    ----------
    threshold : float or str
        What is active, for the balance of the classes and the ceiling of a ranking.
    workers : int
        Processes that look at the molecules of a large table (see `in_chunks`).

    Raises
    ------
    DataError
        No row can be used.
    """
    policy, checks = policy or Policy(), []
    known = standardised([str(text) for text in read.smiles], policy, workers)
    good = list(dict.fromkeys(one.smiles for one in known.values() if one.smiles))
    looked = in_chunks(look, good, workers=workers, what="looking at molecules")
    seen = dict(zip(good, chain.from_iterable(looked), strict=True))
    assays = read.rows.groupby("assay_id", sort=False)
    for name, part in tqdm(assays, "checking assays", delay=2, disable=None):
        rows = part.assign(smiles=read.smiles.iloc[part["row"].to_numpy() - 1].to_numpy())
        numbered = part.assign(row=np.arange(1, len(part) + 1))
        where = f"{source}, assay {name}"
        table = table_from_rows(rows["smiles"], numbered, policy, where, known=known)
        with quiet_rdkit():
            checks.append(_check(str(name), rows, table, threshold, known, seen))
    return checks


def _check(
    name: str,
    rows: pd.DataFrame,
    table: Table,
    threshold: float | str,
    known: Mapping[str, Standardised],
    seen_of: Mapping[str, Seen],
) -> DataCheck:
    rejected = table.report.rejected
    rejected = rejected.assign(row=rows["row"].to_numpy()[rejected["row"].to_numpy(int) - 1])
    assay = table.assays[name] if name in table.assays else None  # all its labels may be ties
    findings = [_size(rows, assay), unreadable(rejected)]
    if assay is None:
        return DataCheck(name, findings)
    seen = [seen_of[text] for text in assay.molecules.smiles]
    replicates = _replicates(rows, known)
    findings += [salts(rows), stereo(assay, seen), tautomers(assay, seen), unusual(assay, seen)]
    findings += [duplicates(replicates, table), bounds(assay)]
    if not isinstance(assay.target, Classification):
        findings += [spread(assay), units(rows["value"]), piles(assay)]
    findings += [balance(assay, threshold), scaffolds(seen), cliffs(assay, seen)]
    findings.append(ceiling(assay, replicates, threshold))
    return DataCheck(name, findings)


def _size(measured: pd.DataFrame, assay: Assay | None) -> Finding:
    n = len(assay) if assay is not None else 0
    text = f"{len(measured)} measurements, {n} distinct molecules that can be used"
    if n < 16:
        return Finding("size", "warning", text + "; below 16 a ranking is hardly more than chance")
    if n > 256:
        return Finding("size", "note", text + "; above 256 an ordinary QSAR model is as good")
    return Finding("size", "good", text)


def _replicates(rows: pd.DataFrame, standard: Mapping[str, Standardised]) -> pd.DataFrame:
    """Exact measurements of molecules that have several: `row`, `smiles`, `value`."""
    known = rows[rows["censor"] == 0]
    known = known.assign(smiles=[standard[str(text)].smiles for text in known["smiles"]])
    found = known[(known["smiles"] != "") & known["smiles"].duplicated(keep=False)]
    return found[["row", "smiles", "value"]].sort_values("smiles", kind="stable")
