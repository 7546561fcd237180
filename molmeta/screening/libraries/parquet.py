"""Parquet, by pyarrow (`pip install "molmeta[parquet]"`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from molmeta.errors import DataError
from molmeta.screening.libraries.base import Library, Row, find_column

BATCH, BUFFER = 1024, 1 << 20  # rows, and bytes of a column, that are held at once
TEXTS = re.compile(r"(large_)?string(_view)?$|dictionary<values=(large_)?string|null$")


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
        It is damaged, has no such column or two of one name, or the column holds no texts.
    """

    def __init__(self, path: Path, smiles_column: str = "smiles") -> None:
        self.path = path
        with self._open() as file:
            self._schema = file.schema_arrow
        self.header = list(self._schema.names)
        self.column = find_column(path, self.header, smiles_column)
        kind = str(self._schema.types[self.column])
        if not TEXTS.match(kind):
            raise DataError(f"{path}: the column '{smiles_column}' holds {kind}, not texts")

    def schema(self) -> Any:
        """Arrow's types of the columns."""
        return self._schema

    def rows(self) -> Iterator[Row]:
        """Every row; where there is no SMILES, the text is empty."""
        with self._open() as file, self._told():
            for batch in file.iter_batches(batch_size=BATCH):
                columns = [values.to_pylist() for values in batch.columns]
                for cells in zip(*columns, strict=True):
                    yield Row(cells, cells[self.column] or "")

    def _open(self) -> Any:
        parquet = pyarrow_parquet()
        if not self.path.is_file():
            raise DataError(f"there is no file {self.path}")
        with self._told():  # pre_buffer would keep the whole file
            return parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=BUFFER)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever goes wrong in pyarrow, as `DataError`."""
        try:
            yield
        except (
            OSError,
            ValueError,
            OverflowError,
            import_module("pyarrow").ArrowException,
        ) as error:
            said = " ".join(str(error).split())
            raise DataError(
                f"{self.path} is no whole Parquet file ({said}); get it again"
            ) from error
