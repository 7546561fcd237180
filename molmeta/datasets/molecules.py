"""The molecules of a table, without its measurements."""

from __future__ import annotations

from pathlib import Path

from molmeta.datasets.csv_tables import read_csv
from molmeta.datasets.splits import read_split
from molmeta.datasets.standardising import standardised
from molmeta.errors import DataError
from molmeta.featurizers import Policy


def read_molecules(
    path: str, smiles_column: str = "smiles", assay_column: str = "assay_id"
) -> set[str]:
    """The standardised SMILES of a table; rows that are no molecule are left out.

    Parameters
    ----------
    path : str
        A `.csv` or `.csv.gz`; or `TABLE:SPLIT`, for the molecules of the validation and test assays
        of a split (a name, or a JSON file), by the table's column of assays.

    Raises
    ------
    DataError
        The table cannot be read, or lacks a column or all of the assays.
    """
    table, _, split = path.partition(":") if not Path(path).exists() else (path, "", "")
    columns = [smiles_column, *([assay_column] if split else [])]
    rows = read_csv(Path(table), columns)
    if split:
        names = read_split(split)
        rows = rows[rows[assay_column].isin([*names["validation"], *names["test"]])]
        if rows.empty:
            raise DataError(f"{table} has no validation or test assay of the split {split}")
    found = standardised(rows[smiles_column], Policy())
    return {one.smiles for one in found.values() if one.smiles}
