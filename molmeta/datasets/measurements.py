"""What a CSV says of assays: long (one measurement a row) or wide (one assay a column)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.datasets.csv_tables import read_csv, require_columns
from molmeta.errors import DataError

RELATIONS = {"": 0, "=": 0, "~": 0, "≈": 0, "<": -1, "<=": -1, "≤": -1, ">": 1, ">=": 1, "≥": 1}
MISSING = {"", "na", "n/a", "nan", "null", "none"}


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
