"""Parquet, by pyarrow (`pip install "molmeta[parquet]"`)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from molmeta.errors import DataError
from molmeta.libraries.base import Library, Row
from molmeta.registry import nearest

BATCH = 1024  # rows that are held at once


def pyarrow_parquet() -> Any:
    """The module `pyarrow.parquet`.

    Raises
    ------
    DataError
        It is not installed.
    """
    try:
        return import_module("pyarrow.parquet")
    except ImportError:
        raise DataError(
            'Parquet needs pyarrow, which is not installed: pip install "molmeta[parquet]"'
        ) from None


class ParquetLibrary(Library):
    """A Parquet file with a column of SMILES; other columns keep their types in Parquet output.

    Raises
    ------
    DataError
        It is damaged, or has no such column.
    """

    def __init__(self, path: Path, smiles_column: str = "smiles") -> None:
        self.path, self.smiles_column = path, smiles_column
        with self._open() as file:
            self._schema = file.schema_arrow
        self.header = list(self._schema.names)
        if smiles_column not in self.header:
            raise DataError(
                f"{path} has no column '{smiles_column}'{nearest(smiles_column, self.header)}"
            )

    def schema(self) -> Any:
        """Arrow's types of the columns."""
        return self._schema

    def rows(self) -> Iterator[Row]:
        """Every row."""
        column = self.header.index(self.smiles_column)
        with self._open() as file:
            try:
                for batch in file.iter_batches(batch_size=BATCH):
                    columns = [values.to_pylist() for values in batch.columns]
                    for cells in zip(*columns, strict=True):
                        text = cells[column]
                        yield Row(cells, text if isinstance(text, str) else "")
            except OSError as error:
                raise DataError(f"{self.path} is damaged ({error}); get it again") from error

    def _open(self) -> Any:
        parquet = pyarrow_parquet()
        if not self.path.is_file():
            raise DataError(f"there is no file {self.path}")
        try:
            return parquet.ParquetFile(self.path)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path} is no whole Parquet file ({error})") from error
