"""Long tables: which column names the assay of a row, and what is taken together without one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from molmeta.datasets.concentrations import Column
from molmeta.datasets.names import is_property, normal
from molmeta.errors import DataError

TOGETHER = {"assay", "assay_name", "target", "target_name", "protein", "gene", "endpoint"}


def named_alike(frame: pd.DataFrame, name: str) -> str:
    """The column that names assays, in whatever letters it is written."""
    alike = [column for column in frame.columns if normal(column) == normal(name)]
    alike += [column for column in frame.columns if normal(column) == "assayid"]
    return name if name in frame.columns or not alike else alike[0]


def require_names(measured: pd.DataFrame, column: str, path: str | Path) -> None:
    """Refuse a measurement of an assay without a name.

    Raises
    ------
    DataError
        There is one.
    """
    unnamed = measured[measured["assay_id"] == ""]
    if len(unnamed):
        raise DataError(
            f"{path}: row {unnamed['row'].iloc[0]} has no name of an assay in the column "
            f"'{column}' ({len(unnamed)} such rows); give each row its own"
        )


def taken_together(
    frame: pd.DataFrame, measured: pd.DataFrame, assay_column: str, read: Column
) -> list[str]:
    """What of different assays may be taken together, or of different kinds turned alike."""
    if assay_column in frame.columns:
        turned = any("−log10" in line or "taken as p" in line for line in read.said)
        names = [name for name in map(str, measured["assay_id"].unique()) if is_property(name)]
        return [
            f"the assay '{name}' is a property by its name, and is turned round as the others are; "
            "read it from a table of its own"
            for name in (names[:1] if turned else [])
        ]
    for column in frame.columns:
        if normal(column) in TOGETHER:
            count = len(set(frame[column].str.strip()) - {""})
            if count > 1:
                return [
                    f"'{column}' has {count:,} values, and their measurements are taken together; "
                    f"give --assay-column '{column}', if these are assays"
                ]
    return []
