"""Anybody's table as assays: molecules standardised, duplicates merged, and a report of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.datasets.measurements import Measurements, read_measurements
from molmeta.datasets.standardising import standardised
from molmeta.errors import DataError
from molmeta.featurizers import Policy, Standardised
from molmeta.molecules import Molecules
from molmeta.tasks import Assay, Assays, Classification, Regression

CONFLICT = 1.0  # duplicates of a real value that differ by more are reported


@dataclass(frozen=True)
class Report:
    """What became of the rows of a table.

    Attributes
    ----------
    rows : int
        Rows of the file.
    rejected : DataFrame
        `row` (from 1), `smiles`, `status`, `reason` of rows whose molecule cannot be used.
    merged : int
        Measurements that were merged into another of the same molecule and assay.
    conflicts : DataFrame
        `assay_id`, `smiles`, `count`, `low`, `high`, `action` of duplicates that disagree.
    bounds : int
        Measurements that are bounds (`>5`, `<4`).
    understood : tuple of str
        What the reader took the file for.
    concerns : tuple of str
        What may be wrong with the values, and what to give.
    """

    rows: int
    rejected: pd.DataFrame
    merged: int
    conflicts: pd.DataFrame
    bounds: int = 0
    understood: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [", ".join(self.understood) or f"{self.rows} rows read"]
        if len(self.rejected):
            first = self.rejected.iloc[0]
            lines.append(
                f"{len(self.rejected)} rows left out (the first: row {first['row']}, "
                f"{first['smiles']!r}: {first['reason']})"
            )
        if self.merged:
            lines.append(f"{self.merged} duplicates merged, {len(self.conflicts)} of them disagree")
        if self.bounds and not self.understood:
            lines.append(f"{self.bounds} measurements are bounds")
        return "; ".join(lines)

    def warnings(self) -> list[str]:
        """A line for each concern."""
        return [f"WARNING: {concern}" for concern in self.concerns]

    def write(self, path: Path) -> None:
        """Rejected rows and conflicts as one CSV; nothing where there are none."""
        parts = [
            self.rejected.assign(kind="rejected"),
            self.conflicts.assign(kind="conflicting duplicates"),
        ]
        parts = [part for part in parts if len(part)]
        if parts:
            pd.concat(parts).to_csv(path, index=False)


@dataclass(frozen=True)
class Table:
    """Assays with the report of how they were read."""

    assays: Assays
    report: Report
    policy: Policy = field(default_factory=Policy)


def read_table(
    path: str | Path,
    *,
    smiles_column: str | None = None,
    target_columns: Sequence[str] | None = None,
    assay_column: str = "assay_id",
    relation_column: str | None = None,
    units: str | None = None,
    policy: Policy | None = None,
) -> Table:
    """Read a table of measurements, as people export them.

    CSV with any separator, an Excel workbook or an SDF with its fields, plain or compressed.
    Without `smiles_column` the molecules are found by name or content. Long, where `assay_column`
    is in the header: one measurement a row, in the one target column. Wide otherwise: each target
    column is an assay, an empty cell (or `ND`, `n.d.`, `-`, …) a missing measurement. Without
    `target_columns`, they are all columns of numbers that are no index, id or descriptor; or of
    two words, such as active and inactive. A column may be given by its place, from 1. ChEMBL's
    and PubChem's downloads are read as such.

    An assay whose values are all 0 or 1 is binary, any other is a regression (higher is more
    active). A cell such as `>5` or `<= 4.3` is a bound; or `relation_column` holds the `>`, `<` or
    `=` of the row (of the value as it stands: IC50 > 10 µM is pIC50 < 5). Concentrations become
    −log10 of the molar, and the bounds turn round, where `units`, the cells, a column of units or
    the column's name say their unit; the assay of `IC50 (nM)` is then called `pIC50`. The
    report's `understood` has what was done, `concerns` what may be wrong.

    Duplicates of a molecule in an assay are merged: real values to their median, labels to the
    majority; an exact tie of labels is left out. Beside a value bounds are left out, of several
    the tightest is kept; an upper and a lower one alone are left out. Molecules are standardised by
    `policy`.

    Parameters
    ----------
    units : str, optional
        M, mM, uM, nM, pM, fM, "-log M", "log M", "log nM", …, "%", or "none" for values as they
        are.

    Raises
    ------
    DataError
        The file is missing, empty, damaged or a bomb, a column is missing or there twice, rows
        have more cells than the header, or a measurement is not a finite number or a bound, or
        not of its unit.
    """
    read = read_measurements(
        path,
        smiles_column=smiles_column,
        target_columns=target_columns,
        assay_column=assay_column,
        relation_column=relation_column,
        units=units,
    )
    return table_from_measurements(read, policy or Policy(), str(path))


def table_from_measurements(read: Measurements, policy: Policy, source: str) -> Table:
    """Standardise, merge duplicates and report what was read; each assay's `info` says it."""
    table = table_from_rows(read.smiles, read.rows, policy, source)
    report = replace(table.report, understood=read.understood, concerns=read.concerns)
    told = {"read": str(read)}
    assays = Assays(replace(one, info={**one.info, **told}) for one in table.assays.values())
    return replace(table, assays=assays, report=report)


def table_from_rows(
    smiles: pd.Series,
    measured: pd.DataFrame,
    policy: Policy,
    source: str,
    *,
    merge: bool = True,
    known: Mapping[str, Standardised] | None = None,
) -> Table:
    """Standardise, merge duplicates (or keep them all), and report.

    Parameters
    ----------
    smiles : Series
        Text of every row of the source.
    measured : DataFrame
        `row` (from 1, into `smiles`), `assay_id`, `value` of every measurement; and maybe `censor`
        (−1, 0, 1).
    source : str
        What an error message calls the source.
    known : mapping, optional
        The texts, standardised by the policy already.
    """
    texts = [str(text) for text in smiles]
    results = standardised(texts, policy) if known is None else known
    found = pd.Series([results[text].smiles for text in texts], index=smiles.index)
    rejected = _rejected(texts, results)
    measured = measured if "censor" in measured else measured.assign(censor=0)
    measured = measured.assign(smiles=found.iloc[measured["row"].to_numpy() - 1].to_numpy())
    measured = measured[measured["smiles"] != ""]
    if measured.empty:
        raise DataError(f"{source}: no row has both a readable SMILES and a measurement")
    merged, conflicts = _merge(measured)
    merged = merged if merge else measured.assign(action="kept")
    bounds = int((measured["censor"] != 0).sum())
    report = Report(len(smiles), rejected, len(measured) - len(merged), conflicts, bounds)
    kept = merged[merged["action"] != "left out"]
    if kept.empty:
        raise DataError(
            f"{source}: every molecule was measured several times with results that disagree, so "
            "nothing is left; decide between them first"
        )
    # what is left out stays a molecule, so that features are kept for both ways of reading
    return Table(assays_from_rows(kept, measured["smiles"]), report, policy)


def _rejected(texts: list[str], results: Mapping[str, Standardised]) -> pd.DataFrame:
    rejected = [
        {"row": row, "smiles": text, "status": results[text].status, "reason": results[text].reason}
        for row, text in enumerate(texts, start=1)
        if results[text].status != "ok"
    ]
    return pd.DataFrame(rejected, columns=["row", "smiles", "status", "reason"])


def _merge(measured: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    exact = measured["censor"] == 0
    is_label = measured["value"].isin([0, 1]) & exact
    binary = is_label.groupby(measured["assay_id"]).transform("all")
    parts = measured.assign(
        binary=binary,
        exact=measured["value"].where(exact),
        least=measured["value"].where(measured["censor"] > 0),
        most=measured["value"].where(measured["censor"] < 0),
    )
    merged = (
        parts.groupby(["assay_id", "smiles"], sort=False)
        .agg(
            exact=("exact", "median"),
            least=("least", "max"),
            most=("most", "min"),
            count=("value", "size"),
            low=("value", "min"),
            high=("value", "max"),
            binary=("binary", "first"),
            **({"behind": ("behind", "median")} if "behind" in parts else {}),
        )
        .reset_index()
    )
    known, bounded = merged["exact"].notna(), merged["least"].notna() & merged["most"].notna()
    merged["value"] = merged["exact"].fillna(merged["least"]).fillna(merged["most"])
    sides = np.where(merged["least"].notna(), 1, -1)
    merged["censor"] = np.where(known, 0, sides)
    spread = merged["high"] - merged["low"]
    disagree = np.where(merged["binary"], spread > 0, spread > CONFLICT)
    # bounds, on their open side, agree with any value
    against = (merged["exact"] < merged["least"]) | (merged["exact"] > merged["most"])
    has_bound = merged["least"].notna() | merged["most"].notna()
    disagree = np.where(has_bound, against | (~known & bounded), disagree)
    left_out = (merged["binary"] & (merged["value"] == 0.5)) | (~known & bounded)
    kept = np.where(merged["binary"], "majority kept", "median kept")
    merged["action"] = np.where(left_out, "left out", kept)
    columns = ["assay_id", "smiles", "count", "low", "high", "action"]
    return merged, merged.loc[disagree, columns]


def assays_from_rows(rows: pd.DataFrame, every: pd.Series | None = None) -> Assays:
    """Assays of rows `smiles, assay_id, value`, maybe `censor` and `behind`: standardised.

    Their molecules are views of one store, of `every` SMILES.
    """
    smiles = list(dict.fromkeys(rows["smiles"] if every is None else every))
    molecules, position = Molecules(smiles), {text: i for i, text in enumerate(smiles)}
    out = []
    for name, part in rows.groupby("assay_id", sort=False):
        index = np.array([position[text] for text in part["smiles"]], dtype=np.int64)
        values = part["value"].to_numpy(float)
        censor = part["censor"].to_numpy(np.int64) if "censor" in part else np.zeros(len(part))
        bounded = censor.any()
        binary = not bounded and bool(np.isin(values, [0, 1]).all())
        target = Classification(2) if binary else Regression()
        bounds = censor if bounded else None
        behind = part["behind"].to_numpy(float) if "behind" in part else None
        out.append(Assay(str(name), molecules[index], values, target, {}, bounds, behind))
    return Assays(out)
