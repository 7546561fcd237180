"""A file of any kind as one table of texts: CSV and its kin, Excel, SDF; and PubChem's own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
from rdkit import Chem, rdBase

from molmeta.datasets.columns import SMILES, header_of, holds_smiles, named_smiles
from molmeta.datasets.csv_tables import read_written
from molmeta.errors import DataError
from molmeta.text_files import COMPRESSED, open_bytes

EXCEL = (".xlsx", ".xlsm", ".xls")
SDF = (".sdf", ".sd")
PUBCHEM = "PUBCHEM_RESULT_TAG"
TITLES = 20  # rows of a sheet, at most, that may stand above its header
MOST_FIELDS = 4096  # of an SDF
UNREADABLE = "unreadable_record"  # in place of its SMILES


@dataclass(frozen=True)
class Sheet:
    """A file as a table of texts.

    Attributes
    ----------
    frame : DataFrame
        Every cell a text, "" where there is none; a repeated name has a number behind it.
    header : list of str
        The names as they stand in the file.
    separator : str
        Of cells; "" where the kind of file has none.
    understood : list of str
        How it is written, where that is not as usual.
    units : dict
        Texts of units, of columns whose file says them apart.
    """

    frame: pd.DataFrame
    header: list[str]
    separator: str = ""
    understood: list[str] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)

    @property
    def repeated(self) -> set[str]:
        """Names that several columns have."""
        return {name for name, times in Counter(self.header).items() if name and times > 1}


def read_sheet(path: Path) -> Sheet:
    """Read a file by the ending of its name; what has none of those of Excel and SDF is CSV.

    Raises
    ------
    DataError
        It cannot be read.
    """
    endings = [one.lower() for one in path.suffixes if one.lower() not in COMPRESSED]
    ending = endings[-1] if endings else ""
    if ending in EXCEL:
        return _excel(path)
    if ending in SDF:
        return _sdf(path)
    frame, writing = read_written(path)
    header = [name.strip() for name in writing.header]
    frame.columns = _distinct(header)
    sheet = Sheet(frame, header, writing.separator, writing.understood())
    return _without_pubchem_rows(sheet) if PUBCHEM in frame.columns else sheet


def _without_pubchem_rows(sheet: Sheet) -> Sheet:
    """A table of PubChem without the rows that describe its columns, which have no number."""
    frame, tags = sheet.frame, sheet.frame[PUBCHEM].str.strip()
    said = tags.str.startswith("RESULT_")
    units = frame[tags == "RESULT_UNIT"]
    found = {} if units.empty else {name: text for name, text in units.iloc[0].items() if text}
    rows = frame[~said].reset_index(drop=True)
    if rows.empty:
        raise DataError("the table of PubChem has rows of descriptions alone; download it again")
    understood = [*sheet.understood, f"PubChem's table, {int(said.sum())} rows of descriptions"]
    found = {str(name): text for name, text in found.items() if name != PUBCHEM}
    return replace(sheet, frame=rows, understood=understood, units=found)


def _excel(path: Path) -> Sheet:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object)
    except ImportError:
        raise DataError(
            f"{path} is of Excel, which needs openpyxl; pip install 'molmeta[excel]', or save it "
            "as 'CSV UTF-8'"
        ) from None
    except Exception as error:  # what openpyxl raises for a damaged file is not one kind
        raise DataError(f"{path} cannot be read as a workbook of Excel ({error})") from None
    full = {name: _cells(one) for name, one in sheets.items()}
    full = {name: one for name, one in full.items() if len(one)}
    if not full:
        raise DataError(f"{path} has no sheet with cells in it")
    name = next((name for name, one in full.items() if _has_molecules(one)), next(iter(full)))
    rows = full[name].values.tolist()
    titles = _titles(rows)
    header, headed = header_of(rows[titles:])
    header = [text.strip() for text in header]
    body = rows[titles + 1 :] if headed else rows
    if not body:
        raise DataError(f"{path} has a header but no rows")
    understood = [f"sheet '{name}' of {len(full)}"] if len(full) > 1 else []
    understood += (
        [f"{titles} {'rows' if titles > 1 else 'row'} of titles left out"] if titles else []
    )
    understood += [] if headed else [f"no header: columns are called {', '.join(header[:5])}"]
    frame = pd.DataFrame(body, columns=_distinct(header), dtype=object)
    return Sheet(frame, header, understood=understood)


def _cells(sheet: pd.DataFrame) -> pd.DataFrame:
    """A sheet as texts, without the rows and columns that are empty."""
    full = sheet.dropna(how="all").dropna(axis=1, how="all")
    return full.apply(lambda column: column.map(_excel_text))


def _titles(rows: list[list[str]]) -> int:
    """How many of the first rows are titles: one cell, above rows of several."""
    filled = [sum(cell != "" for cell in row) for row in rows[:TITLES]]
    return next((number for number, count in enumerate(filled) if count > 1), 0)


def _has_molecules(sheet: pd.DataFrame) -> bool:
    rows = sheet.values.tolist()
    rows = rows[_titles(rows) :]
    header, headed = header_of(rows)
    if not headed or named_smiles(header):
        return True
    return any(holds_smiles(column) for column in zip(*rows[1:], strict=True))


def _excel_text(cell: object) -> str:
    """A cell as text, whole numbers without a point."""
    if cell is None or cell is pd.NaT or (isinstance(cell, float) and cell != cell):
        return ""
    if isinstance(cell, float):
        return f"{cell:.15g}"
    return str(cell)


def _distinct(header: list[str]) -> list[str]:
    """Names as pandas tells them apart: `y`, `y.1`; those of columns without one by their place."""
    seen: Counter = Counter()
    out = []
    for place, name in enumerate(header):
        base = name or f"Unnamed: {place}"
        out.append(f"{base}.{seen[base]}" if seen[base] else base)
        seen[base] += 1
    return out


def _sdf(path: Path) -> Sheet:
    """Each record's molecule as SMILES, and its fields; a bad record is a row without SMILES."""
    rows: list[dict[str, str]] = []
    names: dict[str, None] = {}
    with rdBase.BlockLogs(), open_bytes(path, held=True) as file:
        for mol in Chem.ForwardSDMolSupplier(file):
            row = {} if mol is None else _fields(mol)
            names.update(dict.fromkeys(row))
            if len(names) > MOST_FIELDS:
                raise DataError(f"{path} has more than {MOST_FIELDS:,} different fields")
            rows.append(row)
    if not rows:
        raise DataError(f"{path} has no records")
    names.pop(SMILES, None)
    frame = pd.DataFrame(rows, columns=[SMILES, *names], dtype=object).fillna("")
    frame[SMILES] = frame[SMILES].where(frame[SMILES] != "", UNREADABLE)
    return Sheet(frame, list(frame.columns), understood=[f"{len(rows)} records of SDF"])


def _fields(mol: Chem.Mol) -> dict[str, str]:
    found = {name: str(mol.GetProp(name)).strip() for name in mol.GetPropNames()}
    return {**found, SMILES: Chem.MolToSmiles(mol)}
