"""A chemist's questions about one new assay: compare, suggest, report; from files to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rdkit import Chem
from tqdm import tqdm

from molmeta.datasets import Measurements, Table, read_measurements, table_from_measurements
from molmeta.device import resolve
from molmeta.errors import DataError, MolmetaError, TooFewMeasurements, one_line
from molmeta.featurizers import Policy, Standardised, Standardiser
from molmeta.files import check_output, write_atomic
from molmeta.models import DEFAULT, BaseModel, from_pretrained, model_folder, refuse_constant
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

QUICK, QUICK_UP_TO = 2, 256  # repeats of a comparison that are not asked for, and of how many
Say = Callable[[str], None]


class OneAssay(NamedTuple):
    """A table of one assay: as it was read, as it is standardised, and what is learned."""

    read: Measurements
    table: Table
    assay: Assay


def read_one(
    data_path: str | Path,
    threshold: float | str | None,
    policy: Policy,
    say: Say | None = None,
    **columns: Any,
) -> OneAssay:
    """The one assay of a table, as classes at a threshold, or as values where that is None.

    What was understood is told to `say`.

    Raises
    ------
    DataError
        The table has several assays, or all values are equal.
    """
    read = read_measurements(data_path, **columns)
    read.one_assay(data_path)
    table = table_from_measurements(read, policy, str(data_path))
    if say is not None:
        for line in (f"{data_path}: {table.report}", *table.report.warnings()):
            say(one_line(line))
    (assay,) = table.assays.values()
    refuse_constant(assay)
    return OneAssay(read, table, assay if threshold is None else assay.binarise(threshold))


def compare_table(
    data_path: str | Path,
    *,
    model_path: str | Path = DEFAULT,
    threshold: float | str | None = "median",
    repeats: int = REPEATS,
    device: str = "auto",
    workers: int = 1,
    say: Say | None = None,
    **columns: Any,
) -> Comparison:
    """`compare` on a table: the model, a probe on it, a Gaussian process and the forest."""
    base = from_pretrained(model_path, resolve(device))
    one = read_one(data_path, threshold, base.experiment.model.policy, say, **columns)
    return compare(one.assay, standard_models(base), repeats=repeats, workers=workers, say=say)


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
    say: Say | None = None,
    **columns: Any,
) -> pd.DataFrame:
    """What to measure next of a library: its rows, with what `suggest` says of each, and `rank`.

    See `suggestion.suggest`. Rows of the library that cannot be read are never suggested.

    Raises
    ------
    DataError
        A file cannot be read, or a cost is not a number.
    """
    base = from_pretrained(model_path, resolve(device))
    policy = base.experiment.model.policy
    one = read_one(data_path, threshold, policy, say, **columns)
    header, rows = read_library(library_path, library_smiles_column, policy)
    good = [row for row in rows if row.mol is not None]
    mols = [row.mol for row in good]
    molecules = Molecules([row.smiles for row in good], mols)
    score = base.adapt(base.readable(one.assay)).predict(molecules)
    costs = None if cost_column is None else _costs(header, good, cost_column, library_path)
    measured = measured_molecules(one.read.smiles, policy)
    batch = suggest(mols, score, measured, n, strategy=strategy, costs=costs, budget=budget)
    chosen = pd.DataFrame([good[i].cells for i in batch["position"]], columns=header)
    chosen.insert(0, "rank", np.arange(1, len(batch) + 1))
    return chosen.assign(
        **{name: batch[name] for name in ("score", "similarity", "cost", "inside")}
    )


def write_report(
    data_path: str | Path,
    report_path: str | Path,
    *,
    library_path: str | Path | None = None,
    model_path: str | Path = DEFAULT,
    threshold: float | str | None = "median",
    wishes: Wishes | None = None,
    repeats: int | None = None,
    library_smiles_column: str = "smiles",
    overwrite: bool = False,
    device: str = "auto",
    workers: int = 1,
    say: Say | None = None,
    command: str = "molmeta.workbench.write_report",
    **columns: Any,
) -> str:
    """Everything about one assay as one HTML file; returns what it says first.

    Models are compared `repeats` times over; unless told, as often as is quick: twice up to 256
    measurements, and not beyond.

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
    one = read_one(data_path, threshold, policy, say, **columns)
    cut = "median" if threshold is None else threshold
    (check,) = check_data(one.read, threshold=cut, policy=policy, source=str(data_path))
    library = (
        None if library_path is None else read_library(library_path, library_smiles_column, policy)
    )
    page = write_page(
        one.assay,
        measured_molecules(one.read.smiles, policy),
        check,
        _compared(one.assay, base, repeats, workers, say),
        base,
        model_folder(model_path),
        library,
        wishes or Wishes(),
        command,
    )
    write_atomic(report_path, render(page).encode())
    said = [page.library.inside if page.library else None, page.verdict]
    return "\n".join(filter(None, said))


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
    assay: Assay,
    base: BaseModel,
    repeats: int | None,
    workers: int,
    say: Say | None,
) -> Comparison | None:
    if repeats is None:
        repeats = QUICK if len(assay) <= QUICK_UP_TO else 0
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
