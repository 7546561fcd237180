"""What a table says of assays: long (one measurement a row) or wide (one assay a column)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from molmeta.datasets.beside import Beside
from molmeta.datasets.cells import RELATION_SIGNS, RELATIONS, Cells, commas_of, read_cells
from molmeta.datasets.chembl_table import Activities, read_activities
from molmeta.datasets.columns import (
    choose_measurements,
    find_molecules,
    likeliest,
)
from molmeta.datasets.concentrations import Column, in_one_unit
from molmeta.datasets.csv_tables import require_columns
from molmeta.datasets.long_tables import named_alike, require_names, taken_together
from molmeta.datasets.names import (
    is_descriptor,
    is_logarithm,
    is_logarithmic,
    is_measure,
    is_property,
    unit_in_name,
)
from molmeta.datasets.table_files import Sheet, read_sheet
from molmeta.datasets.units import LOG, MOLAR, NEGATIVE, NONE, PERCENT, check_unit, read_unit
from molmeta.errors import DataError

OUTCOME = "PUBCHEM_ACTIVITY_OUTCOME"


@dataclass(frozen=True)
class Measurements:
    """A table, read, before anything is standardised or merged.

    Attributes
    ----------
    smiles : Series
        Of each row, as text.
    rows : DataFrame
        `row` (from 1), `assay_id`, `value`, `censor` of every measurement.
    understood : tuple of str
        What the reader took the table for: first how many rows, then what is not as usual.
    concerns : tuple of str
        What may be wrong with the values, and what to give.
    """

    smiles: pd.Series
    rows: pd.DataFrame
    understood: tuple[str, ...]
    concerns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.understood)

    def warnings(self) -> list[str]:
        """A line for each concern."""
        return [f"WARNING: {concern}" for concern in self.concerns]

    def one_assay(self, path: str | Path) -> str:
        """The name of its one assay.

        Raises
        ------
        DataError
            There are several.
        """
        counts = self.rows.groupby("assay_id", sort=False).size()
        if len(counts) == 1:
            return str(counts.index[0])
        names = [str(name) for name in counts.index]
        shown = likeliest(names, dict(zip(names, map(int, counts), strict=True)))
        raise DataError(
            f"{path} has {len(names):,} assays, each with its measurements: {shown}; name one with "
            "--target-columns, or target_columns"
        )


def read_measurements(
    path: str | Path,
    *,
    smiles_column: str | None = None,
    target_columns: Sequence[str] | None = None,
    assay_column: str = "assay_id",
    relation_column: str | None = None,
    units: str | None = None,
) -> Measurements:
    """What a table says, before anything is standardised or merged.

    Parameters and errors are those of `read_table`.
    """
    asked = check_unit(units) if units else None
    sheet = read_sheet(Path(path))
    frame = sheet.frame
    known = [name for name in (smiles_column, relation_column) if name]
    require_columns(frame, known, path)
    smiles = smiles_column or find_molecules(frame, path)
    _refuse_repeated(sheet, [smiles], path)
    said = [] if smiles == "smiles" or smiles_column else [f"molecules in '{smiles}'"]
    assay_column = named_alike(frame, assay_column)
    reader = _Reader(sheet, smiles, assay_column, relation_column, asked, str(path))
    columns, chosen = reader.choose(target_columns)
    reader.sole = bool(target_columns) or len(columns) == 1
    is_long = assay_column in frame.columns
    if is_long and len(columns) != 1:
        raise DataError(
            f"{path} has the assay column '{assay_column}' and {len(columns)} columns of numbers "
            f"({reader.likeliest(columns)}); name the one that holds the measurements"
        )
    parts = [reader.read(column) for column in columns]
    names = [part.name for part in parts]
    if len(set(names)) < len(names):  # IC50_nM beside IC50_uM
        names = list(map(str, columns))
    rows = [
        _rows(part, frame[assay_column].str.strip() if is_long else name)
        for part, name in zip(parts, names, strict=True)
    ]
    measured = pd.concat(rows, ignore_index=True)
    if measured.empty:
        raise DataError(f"{path}: the column {columns[0]!r} holds no measurement")
    require_names(measured, assay_column, path)
    understood = [f"read {len(frame):,} rows", *sheet.understood, *said, *chosen]
    understood += _together([line for part in parts for line in part.said])
    bounds = int((measured["censor"] != 0).sum())
    understood += [f"{bounds:,} bounds"] if bounds else []
    understood += _missing(reader.missing)
    concerns = _together([part.concern for part in parts if part.concern])
    if not reader.activities:
        concerns += taken_together(frame, measured, assay_column, parts[0])
    return Measurements(frame[smiles], measured, tuple(understood), tuple(concerns))


def _rows(column: Column, assay: pd.Series | str) -> pd.DataFrame:
    """Rows of (row from 1, assay_id, value, censor), every missing measurement left out."""
    part = pd.DataFrame({"row": np.arange(1, len(column.values) + 1), "assay_id": assay})
    part = part.assign(value=column.values, censor=column.censor)
    return part[np.isfinite(column.values)]


def _together(lines: list[str], most: int = 3) -> list[str]:
    """The first few of what is said of many columns."""
    distinct = list(dict.fromkeys(lines))
    more = len(distinct) - most
    return distinct[:most] + ([f"{more:,} more such columns"] if more > 0 else [])


def _missing(words: Counter) -> list[str]:
    if not words:
        return []
    listed = ", ".join(f"{times:,} {word}" for word, times in words.most_common(6))
    more = len(words) - 6
    return [f"{listed}{f' and {more} other words' if more > 0 else ''} taken as missing"]


def _refuse_repeated(sheet: Sheet, columns: Sequence[str], path: str | Path) -> None:
    """Refuse a column of whose name there are several."""
    names = list(map(str, sheet.frame.columns))
    for column in columns:
        base = column if column in sheet.repeated else column.rpartition(".")[0]
        if base in sheet.repeated:
            places = [place for place, name in enumerate(names, 1) if _is_copy(name, base)]
            listed = " and ".join(map(str, places))
            raise DataError(
                f"{path} has {len(places)} columns '{base}' (columns {listed}); rename one, or "
                f"give the place of one: --target-columns {places[0]}"
            )


def _is_copy(name: str, base: str) -> bool:
    return name == base or (name.startswith(f"{base}.") and name[len(base) + 1 :].isdigit())


class _Reader:
    """Reads columns of one table, and keeps which words stood for missing ones."""

    def __init__(
        self,
        sheet: Sheet,
        smiles: str,
        assay_column: str,
        relation_column: str | None,
        asked: str | None,
        path: str,
    ) -> None:
        frame = sheet.frame
        self.sheet, self.frame, self.asked, self.path = sheet, frame, asked, path
        self.missing: Counter = Counter()
        self.beside = Beside(frame, (smiles, assay_column), relation_column)
        self.others = self.beside.others
        self.commas = commas_of(frame[self.others], sheet.separator)
        self.activities: Activities | None = None
        self.sole = False  # whether one column is read, or those that were named
        self.cells: dict[str, Cells] = {}

    def choose(self, wanted: Sequence[str] | None) -> tuple[list[str], list[str]]:
        """The columns of measurements, and what to say of how they were chosen."""
        if wanted:
            return self._named(wanted), []
        self.activities = read_activities(self.frame)
        if self.activities:
            return [self.activities.name], self.activities.understood
        if OUTCOME in self.others:
            return [OUTCOME], [f"classes from {OUTCOME}"]
        cells = {name: self._cells(name) for name in self.others if self._may_be(name)}
        columns, said = choose_measurements(self.frame[self.others], cells, self.path)
        said += self.beside.said
        _refuse_repeated(self.sheet, columns, self.path)
        return columns, said

    def likeliest(self, columns: Sequence[str]) -> str:
        """The likeliest of these to be an assay, with their counts."""
        counts = {name: int(self._cells(name).present.sum()) for name in columns}
        return likeliest(columns, counts)

    def read(self, column: str) -> Column:
        """A column in one unit.

        Raises
        ------
        DataError
            A cell is no measurement.
        """
        activities = self.activities
        cells = read_cells(activities.texts) if activities else self._cells(column)
        texts = activities.texts if activities else self.frame[column].str.strip()
        where = f"{self.path}, column '{column}'"
        self._refuse_wrong(texts, cells, column)
        cells, told = self._with_relations(cells, column)
        self.missing.update(cells.missing)
        said = [line if "read as" in line else f"{column} has {line}" for line in cells.said]
        said += [told] if told else []
        if any("read as" in line for line in cells.said):
            return Column(column, cells.values, cells.censor, tuple(said))
        units = self._units_of(cells, column)
        asked = bool(self.asked) and self.sole
        found = in_one_unit(column, cells, units, where, asked=asked)
        return Column(found.name, found.values, found.censor, (*said, *found.said), found.concern)

    def _named(self, wanted: Sequence[str]) -> list[str]:
        """Columns by their names, or by their places, from 1."""
        names = list(map(str, self.frame.columns))
        columns = []
        for name in wanted:
            by_place = name not in names and name.isdigit() and 0 < int(name) <= len(names)
            if not by_place:
                _refuse_repeated(self.sheet, [name], self.path)
            columns.append(names[int(name) - 1] if by_place else name)
        require_columns(self.frame, columns, self.path)
        return columns

    def _may_be(self, column: str) -> bool:
        """Whether the first cells of a column are numbers or words, more or less."""
        some = self.frame[column][self.frame[column] != ""].iloc[:100].reset_index(drop=True)
        if not len(some):
            return False
        try:
            cells = read_cells(some, logarithmic=True)
        except DataError:  # with its column and rows, where all of it is read
            return True
        if (is_measure(column) or unit_in_name(column)) and not is_descriptor(column):
            return bool(cells.present.any()) or not cells.wrong.any()
        return 2 * int(cells.wrong.sum()) <= len(some)

    def _cells(self, column: str) -> Cells:
        if column not in self.cells:
            try:
                self.cells[column] = read_cells(
                    self.frame[column], logarithmic=is_logarithmic(column), commas=self.commas
                )
            except DataError as error:
                raise DataError(f"{self.path}, column '{column}': {error}") from None
        return self.cells[column]

    def _refuse_wrong(self, texts: pd.Series, cells: Cells, column: str) -> None:
        if cells.wrong.any():
            row = int(np.flatnonzero(cells.wrong)[0])
            raise DataError(
                f"{self.path}: row {row + 1}, column '{column}' holds {texts.iloc[row]!r}, which "
                f"is not a finite number, or a bound such as >5 ({int(cells.wrong.sum())} such "
                "cells); correct them or leave them empty"
            )

    def _with_relations(self, cells: Cells, column: str) -> tuple[Cells, str]:
        """Cells with the relations beside them, and what to say; one in the cell goes first."""
        told = self.activities
        beside, said = (told.relations, "") if told else self.beside.relations_of(column)
        if beside is None:
            return cells, said
        unknown = ~beside.isin(list(RELATIONS)).to_numpy() & cells.present
        if unknown.any():
            row = int(np.flatnonzero(unknown)[0])
            raise DataError(
                f"{self.path}: row {row + 1}, column '{column}' holds "
                f"'{beside.iloc[row]} {cells.values[row]:g}', which is not of a known relation "
                f"({', '.join(RELATION_SIGNS)}) ({int(unknown.sum())} such cells); correct them or "
                "leave them empty"
            )
        sides = beside.map(RELATIONS).fillna(0).to_numpy(np.int64)
        censor = np.where(cells.present & (cells.censor == 0), sides, cells.censor)
        return replace(cells, censor=censor), said if sides.any() else ""

    def _units_of(self, cells: Cells, column: str) -> np.ndarray:
        """The unit of each cell: its own, beside it, in the name, that asked for, or ""."""
        if self.asked == NONE:
            return np.full(len(cells.values), NONE, dtype=object)
        named = "" if self.activities else unit_in_name(column) or ""
        if not named and column in self.sheet.units:
            named = read_unit(self.sheet.units[column]) or ""
        asked = self.asked if self.asked and (self.sole or self._may_be_asked(column)) else ""
        out = np.full(len(cells.values), (asked if self.sole else named) or named or asked)
        out = out.astype(object)
        beside = self.activities.units if self.activities else self.beside.units_of(column)
        if beside is not None and not (asked and named):
            known = {text: read_unit(text) or text for text in beside.unique() if text}
            if is_logarithm(column):
                known = {text: LOG + one if one in MOLAR else one for text, one in known.items()}
            found = beside.map(known).fillna("").to_numpy(object)
            if named:
                self._refuse_other_units(column, named, found[cells.present])
            out = np.where(found != "", found, out)
        if not any(cells.units):
            return out
        own = np.array([unit or "" for unit in cells.units], dtype=object)
        return np.where(own != "", own, out)

    def _may_be_asked(self, column: str) -> bool:
        """Whether a unit that is asked for may be that of one of several columns."""
        unit = unit_in_name(column)
        return not (unit in (NEGATIVE, PERCENT) or is_descriptor(column) or is_property(column))

    def _refuse_other_units(self, column: str, named: str, found: np.ndarray) -> None:
        others = sorted({unit for unit in found if read_unit(unit)} - {"", named})
        if others:
            beside = " and ".join(self.beside.units)
            raise DataError(
                f"{self.path}: the column '{column}' is in {named} by its name and in "
                f"{', '.join(others)} by '{beside}'; give that which holds with --units"
            )
