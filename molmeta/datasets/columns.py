"""What the columns of a table are: molecules, measurements, names of rows, or no matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from rdkit import Chem

from molmeta.datasets.cells import Cells, is_number
from molmeta.datasets.names import (
    is_descriptor,
    is_measure,
    negative_name,
    normal,
    unit_in_name,
)
from molmeta.datasets.units import NEGATIVE
from molmeta.errors import DataError
from molmeta.featurizers import quiet_rdkit

SMILES = "smiles"
MOLECULES = (  # normalised names, the likeliest first
    *(SMILES, "canonical_smiles", "isomeric_smiles", "standardized_smiles", "smi"),
    *("pubchem_ext_datasource_smiles", "ligand_smiles", "compound_smiles", "molecule_smiles"),
)
IDS = re.compile(
    r"(unnamed(_\d+)?|index|ids?|[cs]id|no|nr|number|rows?|key|rank|entry|tid|pmid|doi|well|"
    r"plate|batch|lot|molregno|cas(_.*)?|.*_(id|cid|sid|idx|index|no|nr|key|chembl_id)|id_.*|"
    r".*monomerid|pubchem_(result_tag|sid|cid)|.*compound_?(no|nr|number)|cmpd(_.*)?|.*registry.*)?"
)
ENDPOINTS = re.compile(r"[acmxw]?log_?[pds](_?\d.*)?|cx_log.*")  # that are measured as well
LIKELY = re.compile(
    r"(^|_)(activity|active|label|class|target|outcome|inhibition|potency|affinity|value|response|"
    r"y|ic50|ec50|ki|kd)(_|$)"
)
PARTS = re.compile(r"scaffold|reagent|reactant|fragment|core|murcko|linker|r_?\d|side_?chain")
LOOKED = 40  # cells that are looked at to tell SMILES
ENOUGH = 0.8  # of them
VALUE_NAMES = {
    *("value", "values", "standard_value", "published_value", "activity_value", "activity"),
    *("result", "results", "measurement", "measured", "y"),
}
SHOWN = 5
SHORT = 20  # letters of a word that is shown


def is_smiles(text: str) -> bool:
    """Whether a text is a molecule of several atoms, maybe with a name behind it."""
    first = (text.split() or [""])[0]
    if len(first) < 2 or first.isdigit():
        return False
    return _atoms(first) > 1


def header_of(rows: Sequence[Sequence[str]]) -> tuple[list[str], bool]:
    """The names of columns, and whether the first row has them.

    It has none if there is a molecule in it where the rows below have theirs; the columns are then
    called by their places, and that of molecules `smiles`.
    """
    first = [cell.strip() for cell in rows[0]]
    place = _first_molecule(first, rows[1:LOOKED])
    if place is None:
        return list(rows[0]), True
    names = [f"column {number}" for number in range(1, len(first) + 1)]
    names[place] = SMILES
    return names, False


def _first_molecule(first: Sequence[str], below: Sequence[Sequence[str]]) -> int | None:
    if not 1 < len(first) < LOOKED or named_smiles(first):
        return None
    valued = any(map(is_number, first))
    for place, cell in enumerate(first):
        if not cell or cell.isdigit() or not _atoms(cell.split()[0]):
            continue
        column = [row[place] for row in below if len(row) > place]
        known = _share_of_smiles(column) >= ENOUGH
        if known or (valued and is_smiles(cell) and (not column or is_smiles(column[0]))):
            return place
    return None


def _atoms(text: str) -> int:
    with quiet_rdkit():
        mol = Chem.MolFromSmiles(text, sanitize=False)
    return 0 if mol is None else mol.GetNumAtoms()


def named_smiles(header: Sequence[str]) -> str | None:
    """The column that is called as columns of SMILES are; of several, the likeliest."""
    names = {column: normal(column) for column in header}
    ranked = [column for wanted in MOLECULES for column, name in names.items() if name == wanted]
    ranked += [c for c, name in names.items() if SMILES in name and not PARTS.search(name)]
    return ranked[0] if ranked else None


def find_molecules(frame: pd.DataFrame, path: object) -> str:
    """The column of SMILES, by its name, or else by what stands in it.

    Raises
    ------
    DataError
        There is none.
    """
    named = named_smiles(list(frame.columns))
    if named is not None:
        return named
    columns = [column for column in frame.columns if not PARTS.search(normal(column))]
    shares = {column: _share_of_smiles(frame[column]) for column in columns or frame.columns}
    best = max(shares, key=lambda column: shares[column], default="")
    if not shares or shares[best] < ENOUGH:
        listed = ", ".join(map(str, list(frame.columns)[:SHOWN]))
        raise DataError(
            f"{path} has no column 'smiles', nor another that holds SMILES (there is: {listed}); "
            "name it with --smiles-column, or smiles_column"
        )
    return best


def holds_smiles(column: Iterable[str], shortest: int = 3) -> bool:
    """Whether most of the first cells of a column are molecules, of so many letters in the mean."""
    return _share_of_smiles(column, shortest) >= ENOUGH


def _share_of_smiles(column: Iterable[str], shortest: int = 3) -> float:
    cells = [cell for cell in column if cell.strip()][:LOOKED]
    if not cells or np.mean([len(cell) for cell in cells]) < shortest:
        return 0.0
    return float(np.mean([is_smiles(cell) for cell in cells]))


def choose_measurements(
    frame: pd.DataFrame, cells: dict[str, Cells], path: object
) -> tuple[list[str], list[str]]:
    """Which columns are measurements, of those that are numbers or words for classes.

    Names of rows are left out: an index, an id, consecutive numbers beside another column. So are
    descriptors and errors of measurement by their names where there is another column (of
    descriptors alone, logP, logD and logS are measured), and words for classes beside numbers.

    Returns
    -------
    list of str, list of str
        The columns, and what to say of those that are left out.

    Raises
    ------
    DataError
        None is of measurements.
    """
    _refuse_wrong_measures(frame, cells, path)
    usable = [name for name, one in cells.items() if one.present.any() and not one.wrong.any()]
    ids = [name for name in usable if IDS.fullmatch(normal(name)) and not is_measure(name)]
    left = [name for name in usable if name not in ids]
    descriptors = [name for name in left if is_descriptor(name)]
    if len(descriptors) == len(left):
        endpoints = [name for name in left if ENDPOINTS.fullmatch(normal(name))]
        descriptors = [name for name in left if endpoints and name not in endpoints]
    left = [name for name in left if name not in descriptors]
    worded = [name for name in left if _is_words(cells[name])]
    left = [name for name in left if name not in worded] or worded
    counted = [name for name in left if _counts(cells[name])]
    if len(counted) < len(left):
        ids += counted
        left = [name for name in left if name not in counted]
    if not left:
        raise DataError(_none(frame, cells, ids, path))
    said = [f"{_listed(ids)} left out as index or id"] if ids else []
    said += [
        f"'{name}' left out, whose row {_first(one.wrong)} holds "
        f"{frame[name].iloc[_first(one.wrong) - 1][:SHORT]!r}"
        for name, one in cells.items()
        if one.wrong.any() and not (IDS.fullmatch(normal(name)) or is_descriptor(name))
    ][:SHOWN]
    said += [
        f"'{name}' left out, whose words {_words(frame[name])} are not known"
        for name in frame.columns
        if name not in cells and LIKELY.search(normal(name)) and 0 < len(_distinct(frame[name])) < 5
    ]
    if descriptors:
        said.append(f"{_listed(descriptors)} left out as no activity")
    worded = [name for name in worded if name not in left]
    if worded:
        said.append(f"words in {_listed(worded)} left out beside numbers")
    return left, said


def _refuse_wrong_measures(frame: pd.DataFrame, cells: dict[str, Cells], path: object) -> None:
    """Refuse a column that is an assay by its name, in which a cell is no measurement."""
    for name, one in cells.items():
        named = is_measure(name) or unit_in_name(name) or normal(name) in VALUE_NAMES
        if one.wrong.any() and named and not is_descriptor(name):
            row = _first(one.wrong)
            raise DataError(
                f"{path}: row {row}, column '{name}' holds {frame[name].iloc[row - 1]!r}, which is "
                f"no finite number, bound or word for a missing one ({int(one.wrong.sum())} such "
                "cells); correct them or leave them empty, or name other columns with "
                "--target-columns"
            )


def _distinct(column: pd.Series) -> list[str]:
    return sorted(set(column) - {""})


def _words(column: pd.Series) -> str:
    return ", ".join(repr(word[:SHORT]) for word in _distinct(column))


def _first(which: np.ndarray) -> int:
    """The first row, from 1."""
    return int(np.flatnonzero(which)[0]) + 1


def likeliest(columns: Sequence[str], counts: dict[str, int]) -> str:
    """The five columns that are most likely an assay, each with its number of measurements."""

    def rank(name: str) -> tuple[int, int]:
        unit, sort = unit_in_name(name), normal(name)
        named = 2 if unit == NEGATIVE or negative_name(name) != name else int(unit is not None)
        return (-max(named, int(bool(LIKELY.search(sort)))), -counts[name])

    ranked = sorted(columns, key=rank)
    more = f" and {len(ranked) - SHOWN:,} more" if len(ranked) > SHOWN else ""
    return ", ".join(f"{name} ({counts[name]:,})" for name in ranked[:SHOWN]) + more


def _is_words(cells: Cells) -> bool:
    return any("read as" in said for said in cells.said)


def _counts(cells: Cells) -> bool:
    """Whether numbers count the rows, one after the other."""
    values = cells.values
    if len(values) < 8 or not cells.present.all() or cells.censor.any():
        return False
    return bool((np.diff(values) == 1).all())


def _none(frame: pd.DataFrame, cells: dict[str, Cells], ids: list[str], path: object) -> str:
    """Why no column is of measurements; a column of which few cells are wrong is told by them."""
    empty = [name for name, one in cells.items() if one.missing and not one.wrong.any()]
    if empty and not any(one.present.any() for one in cells.values()):
        return f"{path}: the column '{empty[0]}' holds no measurement, only words for missing ones"
    for name, one in cells.items():
        if one.present.sum() >= one.wrong.sum() > 0:
            row = int(np.flatnonzero(one.wrong)[0])
            return (
                f"{path}: row {row + 1}, column '{name}' holds {frame[name].iloc[row]!r}, which is "
                f"no finite number, bound or word for a missing one ({int(one.wrong.sum())} such "
                "cells); correct them or leave them empty"
            )
    if not cells:
        return f"{path}: {_no_numbers(frame)}"
    others = ", ".join([*cells][:SHOWN])
    seen = f"; {_listed(ids)} looks like an index or id" if ids else ""
    return (
        f"{path}: none of the columns {others} holds numbers alone{seen}; name the measurements "
        "with --target-columns, or target_columns"
    )


def _no_numbers(frame: pd.DataFrame) -> str:
    """Why there is no column that may be of measurements."""
    if not len(frame.columns):
        return (
            "there is no column beside that of the molecules; are cells separated by something "
            "else than commas, semicolons, tabs or bars?"
        )
    distinct = {name: _distinct(frame[name]) for name in frame.columns}
    name = min(distinct, key=lambda one: (not distinct[one], len(distinct[one])))
    words = ", ".join(word[:SHORT] for word in distinct[name][:SHOWN])
    more = f" and {len(distinct[name]) - SHOWN} others" if len(distinct[name]) > SHOWN else ""
    holds = f"holds {words}{more}" if words else "is empty"
    return (
        f"no column holds numbers, or words for two classes ('{name}' {holds}); write numbers, or "
        "active and inactive"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    shown = (f"'{name}'" if not name.startswith("Unnamed:") else "a column" for name in names)
    return ", ".join([*shown][:SHOWN]) + more
