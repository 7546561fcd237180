"""A chemist's questions about one new assay: compare, suggest, report; from files to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rdkit import Chem
from tqdm import tqdm

from molmeta.datasets import read_measurements, read_table, table_from_rows
from molmeta.device import resolve
from molmeta.errors import DataError, MolmetaError, TooFewMeasurements
from molmeta.featurizers import Policy, Standardised, Standardiser
from molmeta.files import check_output, write_atomic
from molmeta.models import DEFAULT, BaseModel, from_pretrained, model_folder
from molmeta.molecules import Molecules
from molmeta.screening import Ask, MoleculeReader
from molmeta.screening.libraries import open_library
from molmeta.tasks import Assay
from molmeta.text_files import utf8
from molmeta.workbench.comparison import Comparison
from molmeta.workbench.cross_validation import REPEATS, compare, standard_models
from molmeta.workbench.curation import check_data
from molmeta.workbench.report import LibraryRow, Wishes, render, write_page
from molmeta.workbench.suggestion import suggest


def read_one(
    data_path: str | Path, threshold: float | str | None, policy: Policy, **columns: Any
) -> Assay:
    """The one assay of a table, as classes at a threshold, or as values where that is None.

    Raises
    ------
    DataError
        The table has several assays.
    """
    table = read_table(data_path, policy=policy, **columns)
    if len(table.assays) != 1:
        names = ", ".join(list(table.assays)[:5])
        raise DataError(
            f"{data_path} has {len(table.assays)} assays ({names}, …); name one with target columns"
        )
    (assay,) = table.assays.values()
    return assay if threshold is None else assay.binarise(threshold)


def compare_table(
    data_path: str | Path,
    *,
    model_path: str | Path = DEFAULT,
    threshold: float | str | None = "median",
    repeats: int = REPEATS,
    device: str = "auto",
    workers: int = 1,
    say: Callable[[str], None] | None = None,
    **columns: Any,
) -> Comparison:
    """`compare` on a table: the model, a probe on it, a Gaussian process and the forest."""
    base = from_pretrained(model_path, resolve(device))
    assay = read_one(data_path, threshold, base.experiment.model.policy, **columns)
    return compare(assay, standard_models(base), repeats=repeats, workers=workers, say=say)


def suggest_from(
    data_path: str | Path,
    library_path: str | Path,
    n: int,
    *,
    strategy: str = "diverse",
    cost_column: str | None = None,
    budget: float | None = None,
    model_path: str | Path = DEFAULT,
    threshold: float | str | None = "median",
    library_smiles_column: str = "smiles",
    device: str = "auto",
    **columns: Any,
) -> pd.DataFrame:
    """What to measure next of a library: its rows, with `rank`, `score`, `similarity`, `cost`.

    See `suggestion.suggest`. Rows of the library that cannot be read are never suggested.

    Raises
    ------
    DataError
        A file cannot be read, or a cost is not a number.
    """
    base = from_pretrained(model_path, resolve(device))
    policy = base.experiment.model.policy
    assay = read_one(data_path, threshold, policy, **columns)
    header, rows = read_library(library_path, library_smiles_column, policy)
    good = [row for row in rows if row.mol is not None]
    mols = [row.mol for row in good]
    molecules = Molecules([row.smiles for row in good], mols)
    score = base.adapt(base.readable(assay)).predict(molecules)
    costs = None if cost_column is None else _costs(header, good, cost_column, library_path)
    measured = measured_molecules(read_measurements(data_path, **columns)[0], policy)
    batch = suggest(mols, score, measured, n, strategy=strategy, costs=costs, budget=budget)
    chosen = pd.DataFrame([good[i].cells for i in batch["position"]], columns=header)
    chosen.insert(0, "rank", np.arange(1, len(batch) + 1))
    return chosen.assign(**{name: batch[name] for name in ("score", "similarity", "cost")})


def write_report(
    data_path: str | Path,
    report_path: str | Path,
    *,
    library_path: str | Path | None = None,
    model_path: str | Path = DEFAULT,
    threshold: float | str | None = "median",
    wishes: Wishes | None = None,
    repeats: int = REPEATS,
    library_smiles_column: str = "smiles",
    overwrite: bool = False,
    device: str = "auto",
    workers: int = 1,
    say: Callable[[str], None] | None = None,
    command: str = "molmeta.workbench.write_report",
    **columns: Any,
) -> str:
    """Everything about one assay as one HTML file; returns what it recommends.

    Raises
    ------
    MolmetaError
        A file cannot be read, the assay cannot be learned from, or the page exists.
    """
    report_path = Path(report_path)
    inputs = [Path(path) for path in (data_path, library_path) if path is not None]
    check_output(report_path, inputs, overwrite=overwrite)
    base = from_pretrained(model_path, resolve(device))
    policy = base.experiment.model.policy
    smiles, measured = read_measurements(data_path, **columns)
    if measured["assay_id"].nunique() != 1:
        raise DataError(f"{data_path} has several assays; name one with target columns")
    table = table_from_rows(smiles, measured, policy, str(data_path))
    (assay,) = table.assays.values()
    assay = assay if threshold is None else assay.binarise(threshold)
    cut = "median" if threshold is None else threshold
    (check,) = check_data(smiles, measured, threshold=cut, policy=policy, source=str(data_path))
    library = (
        None if library_path is None else read_library(library_path, library_smiles_column, policy)
    )
    page = write_page(
        assay,
        measured_molecules(smiles, policy),
        check,
        _compared(assay, base, repeats, workers, say),
        base,
        model_folder(model_path),
        library,
        wishes or Wishes(),
        command,
    )
    write_atomic(report_path, render(page).encode())
    return page.verdict


def read_library(
    path: str | Path, smiles_column: str, policy: Policy
) -> tuple[list[str], list[LibraryRow]]:
    """The header and all rows of a library that is to be held in memory; all texts are UTF-8.

    Raises
    ------
    DataError
        The file cannot be read, or has no such column.
    """
    library, out = open_library(path, smiles_column), []
    read_row = MoleculeReader(policy, library.kind)
    for row in tqdm(library.rows(), "reading the library", unit=" rows", delay=2, disable=None):
        cells, found = [utf8(cell) for cell in row.cells], read_row(Ask.of(row))
        if isinstance(found, Standardised):
            out.append(LibraryRow(cells, utf8(row.text), found.status, found.reason, None))
        else:
            out.append(LibraryRow(cells, Chem.MolToSmiles(found), "ok", "", found))
    return [utf8(name) for name in library.header], out


def measured_molecules(smiles: pd.Series, policy: Policy) -> list[Chem.Mol]:
    """Every molecule of a table, also one whose measurement says nothing at a threshold."""
    one = Standardiser(policy)
    found = (one.molecule(text) for text in dict.fromkeys(smiles))
    return [mol for mol in found if not isinstance(mol, Standardised)]


def _compared(
    assay: Assay, base: BaseModel, repeats: int, workers: int, say: Callable[[str], None] | None
) -> Comparison | None:
    if not repeats:
        return None
    try:
        return compare(assay, standard_models(base), repeats=repeats, workers=workers, say=say)
    except TooFewMeasurements:
        return None


def _costs(header: list[str], rows: list[LibraryRow], column: str, path: str | Path) -> np.ndarray:
    if column not in header:
        raise DataError(f"{path} has no column '{column}'")
    texts = pd.Series([row.cells[header.index(column)] for row in rows], dtype=object)
    costs = pd.to_numeric(texts, errors="coerce").to_numpy(float)
    if not (np.isfinite(costs) & (costs >= 0)).all():
        first = texts[~(np.isfinite(costs) & (costs >= 0))].iloc[0]
        raise MolmetaError(f"{path}: column '{column}' holds {first!r}, which is no cost")
    return costs
