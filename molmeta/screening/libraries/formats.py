"""Which reader a file needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from molmeta.errors import DataError
from molmeta.screening.libraries.base import Library
from molmeta.screening.libraries.csv_library import CsvLibrary
from molmeta.screening.libraries.parquet import ParquetLibrary
from molmeta.screening.libraries.sdf import SdfLibrary
from molmeta.screening.libraries.smi import SmiLibrary
from molmeta.text_files import COMPRESSED

READERS: dict[str, Callable[[Path, str], Library]] = {
    ".csv": CsvLibrary,
    ".tsv": CsvLibrary,
    ".parquet": ParquetLibrary,
    ".sdf": lambda path, _: SdfLibrary(path),
    ".sd": lambda path, _: SdfLibrary(path),
    ".smi": lambda path, _: SmiLibrary(path),
    ".smiles": lambda path, _: SmiLibrary(path),
}


def open_library(path: str | Path, smiles_column: str = "smiles") -> Library:
    """A library by the ending of its name, less that of a compression.

    Parameters
    ----------
    smiles_column : str
        Of CSV and Parquet.

    Raises
    ------
    DataError
        There is no such file, its ending is unknown, or it cannot be read.
    """
    path = Path(path)
    ending = suffix(path)
    if ending not in READERS:
        raise DataError(
            f"{path} ends in '{path.suffix}'; libraries are read from {', '.join(READERS)}, plain "
            f"or compressed ({', '.join(COMPRESSED)})"
        )
    return READERS[ending](path, smiles_column)


def suffix(path: Path) -> str:
    """The ending that says what a file is: `.csv` of `library.CSV.gz`."""
    suffixes = [one.lower() for one in path.suffixes]
    while suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
