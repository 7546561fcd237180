"""Anybody's CSV as assays: long (one measurement a row) or wide (one assay a column)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.errors import DataError
from molmeta.featurizers import Policy, Standardiser
from molmeta.molecules import Molecules
from molmeta.registry import nearest
from molmeta.tasks import Assay, Assays, Classification, Regression

RELATIONS = {"": 0, "=": 0, "~": 0, "≈": 0, "<": -1, "<=": -1, "≤": -1, ">": 1, ">=": 1, "≥": 1}
MISSING = {"", "na", "n/a", "nan", "null", "none"}
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
    """

    rows: int
    rejected: pd.DataFrame
    merged: int
    conflicts: pd.DataFrame
    bounds: int = 0

    def __str__(self) -> str:
        lines = [f"{self.rows} rows read"]
        if len(self.rejected):
            first = self.rejected.iloc[0]
            lines.append(
                f"{len(self.rejected)} rows left out (the first: row {first['row']}, "
                f"{first['smiles']!r}: {first['reason']})"
            )
        if self.merged:
            lines.append(f"{self.merged} duplicates merged, {len(self.conflicts)} of them disagree")
        if self.bounds:
            lines.append(f"{self.bounds} measurements are bounds")
        return "; ".join(lines)

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
    smiles_column: str = "smiles",
    target_columns: Sequence[str] | None = None,
    assay_column: str = "assay_id",
    relation_column: str | None = None,
    policy: Policy | None = None,
) -> Table:
    """Read a `.csv` or `.csv.gz` of measurements.

    Long, where `assay_column` is in the header: one measurement a row, in the one target column.
    Wide otherwise: each target column is an assay, an empty cell a missing measurement. Without
    `target_columns`, they are all columns in which every cell is empty or a number. An assay
    whose values are all 0 or 1 is binary, any other is a regression (higher is more active). A
    cell such as `>5` or `<= 4.3` is a bound; or `relation_column` holds the `>`, `<` or `=` of the
    row (of the value as it stands: IC50 > 10 µM is pIC50 < 5).

    Duplicates of a molecule in an assay are merged: real values to their median, labels to the
    majority; an exact tie of labels is left out. Beside a value bounds are left out, of several
    the tightest is kept; an upper and a lower one alone are left out. Molecules are standardised by
    `policy`.

    Raises
    ------
    DataError
        The file is missing, empty, truncated or not UTF-8, a column is missing, or a measurement
        is not a finite number or a bound.
    """
    smiles, measured = read_measurements(
        path,
        smiles_column=smiles_column,
        target_columns=target_columns,
        assay_column=assay_column,
        relation_column=relation_column,
    )
    return table_from_rows(smiles, measured, policy or Policy(), str(path))


def read_measurements(
    path: str | Path,
    *,
    smiles_column: str = "smiles",
    target_columns: Sequence[str] | None = None,
    assay_column: str = "assay_id",
    relation_column: str | None = None,
) -> tuple[pd.Series, pd.DataFrame]:
    """What a table says, before anything is standardised or merged.

    Returns
    -------
    Series, DataFrame
        The SMILES of each row as text; `row` (from 1), `assay_id`, `value`, `censor` of every
        measurement. Parameters and errors are those of `read_table`.
    """
    frame = read_csv(Path(path))
    known = [relation_column] if relation_column else []
    require_columns(frame, [smiles_column, *(target_columns or []), *known], path)
    measured = _long(frame, smiles_column, target_columns, assay_column, relation_column, path)
    return frame[smiles_column], measured


def table_from_rows(
    smiles: pd.Series, measured: pd.DataFrame, policy: Policy, source: str, *, merge: bool = True
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
    """
    standardised, rejected = _standardise(smiles, policy)
    measured = measured if "censor" in measured else measured.assign(censor=0)
    measured = measured.assign(smiles=standardised.iloc[measured["row"].to_numpy() - 1].to_numpy())
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
    return Table(assays_from_rows(kept), report, policy)


def read_csv(path: Path) -> pd.DataFrame:
    """All cells as text, an absent one as "".

    Raises
    ------
    DataError
        The file cannot be read as UTF-8 CSV with a header and at least one row.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} is empty; it needs a header line and rows") from None
    except (EOFError, UnicodeDecodeError) as error:
        raise damaged(path, error) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as CSV: {str(error).strip()}") from None
    if frame.empty:
        raise DataError(f"{path} has a header but no rows")
    return frame.fillna("")


def damaged(path: Path, error: EOFError | UnicodeDecodeError) -> DataError:
    """What to tell of a text file that ends too early or is not UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        return DataError(f"{path} is not UTF-8 (byte {error.start}); save it as 'CSV UTF-8'")
    return DataError(f"{path} is a truncated gzip file; get it again")


def require_columns(frame: pd.DataFrame, wanted: Sequence[str], path: str | Path) -> None:
    """Raise `DataError`, with the columns found and the nearest name, if one is missing."""
    found = [str(column) for column in frame.columns]
    for column in wanted:
        if column not in found:
            raise DataError(f"{path} has no column '{column}'{nearest(column, found)}")


def _long(
    frame: pd.DataFrame,
    smiles_column: str,
    target_columns: Sequence[str] | None,
    assay_column: str,
    relation_column: str | None,
    path: str | Path,
) -> pd.DataFrame:
    """Rows of (row from 1, assay_id, value, censor), every missing measurement left out."""
    others = [c for c in frame.columns if c not in (smiles_column, assay_column, relation_column)]
    columns = list(target_columns) if target_columns else [c for c in others if _numeric(frame[c])]
    if not columns:
        raise DataError(
            f"{path}: none of the columns {', '.join(others) or '(there are none)'} holds numbers "
            "alone; name the measurements with target columns"
        )
    is_long = assay_column in frame.columns
    if is_long and len(columns) != 1:
        raise DataError(
            f"{path} has the assay column '{assay_column}' and {len(columns)} columns of numbers "
            f"({', '.join(columns[:5])}); name the one that holds the measurements"
        )
    parts = []
    for column in columns:
        assay = frame[assay_column] if is_long else column
        part = pd.DataFrame({"assay_id": assay, "text": frame[column].str.strip()})
        part["relation"] = frame[relation_column].str.strip("' ") if relation_column else ""
        part["row"] = np.arange(1, len(frame) + 1)
        part = part[~part["text"].str.lower().isin(MISSING)]
        parts.append(_numbers(part, column, path))
    return pd.concat(parts, ignore_index=True)


def _numeric(column: pd.Series) -> bool:
    present = column[~column.str.strip().str.lower().isin(MISSING)]
    numbers = pd.to_numeric(parse_relations(present)["number"], errors="coerce")
    return len(present) > 0 and bool(numbers.notna().all())


def parse_relations(texts: pd.Series) -> pd.DataFrame:
    """`relation` ("" where there is none) and `number` of cells such as `>5`, both as text."""
    return texts.str.extract(r"^\s*(?P<relation>[<>]=?|[=~≈≤≥])?\s*(?P<number>.*?)\s*$").fillna("")


def _numbers(part: pd.DataFrame, column: str, path: str | Path) -> pd.DataFrame:
    """Rows of (row, assay_id, value, censor); a relation in the cell goes before one beside it."""
    cells = parse_relations(part["text"])
    values = pd.to_numeric(cells["number"], errors="coerce").astype(float)
    relation = cells["relation"].where(cells["relation"] != "", part["relation"])
    for wrong, what in (
        (~np.isfinite(values), "a finite number, or a bound such as >5"),
        (~relation.isin(list(RELATIONS)), f"of a known relation ({', '.join(RELATIONS)[2:]})"),
    ):
        bad = part[wrong]
        if len(bad):
            first = bad.iloc[0]
            raise DataError(
                f"{path}: row {first['row']}, column '{column}' holds "
                f"{(first['relation'] + ' ' + first['text']).strip()!r}, which is not {what} "
                f"({len(bad)} such cells); correct them or leave them empty"
            )
    return part[["row", "assay_id"]].assign(value=values, censor=relation.map(RELATIONS))


def _standardise(smiles: pd.Series, policy: Policy) -> tuple[pd.Series, pd.DataFrame]:
    one = Standardiser(policy)
    results = {text: one(text) for text in dict.fromkeys(smiles)}
    rejected = [
        {"row": row, "smiles": text, "status": results[text].status, "reason": results[text].reason}
        for row, text in enumerate(smiles, start=1)
        if results[text].status != "ok"
    ]
    columns = ["row", "smiles", "status", "reason"]
    return smiles.map(lambda text: results[text].smiles), pd.DataFrame(rejected, columns=columns)


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


def assays_from_rows(rows: pd.DataFrame) -> Assays:
    """Assays of rows `smiles, assay_id, value`, maybe `censor`: standardised, none twice."""
    smiles = list(dict.fromkeys(rows["smiles"]))
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
        out.append(Assay(str(name), molecules[index], values, target, censor=bounds))
    return Assays(out)
