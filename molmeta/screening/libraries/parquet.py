"""Parquet, by pyarrow (`pip install "molmeta[parquet]"`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from molmeta.errors import DataError
from molmeta.screening.libraries.base import Library, Row, find_column
from molmeta.screening.libraries.parquet_cells import cells_of
from molmeta.screening.libraries.parquet_footer import chunks_of
from molmeta.screening.libraries.parquet_sizes import (
    WORD,
    refuse_bombs,
    rows_at_once,
    shared_columns,
    too_large,
)
from molmeta.text_files import LONGEST, RATIO

BUFFER = 1 << 20  # bytes of a column that are read at once
LARGEST = 1 << 28  # bytes that any file may unpack to
CELL, SHOWN = 8, 100  # bytes that a cell counts for at least; letters of one that is too long
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
        It is damaged, unpacks to far more than its size, has no such column or two of one name, or
        the column holds no texts.
    """

    def __init__(self, path: Path, smiles_column: str = "smiles") -> None:
        self.path = path
        with self._open() as file, self._told():
            self._schema = file.schema_arrow
            self.header = list(self._schema.names)
            self.column = find_column(path, self.header, smiles_column)
            kind = str(self._schema.types[self.column])
            if not TEXTS.match(kind):
                raise DataError(f"{path}: the column '{smiles_column}' holds {kind}, not texts")
            chunks = chunks_of(path)
            refuse_bombs(path, chunks)
            self._shared, self._batch = shared_columns(path, chunks), rows_at_once(chunks)

    def schema(self) -> Any:
        """Arrow's types of the columns."""
        return self._schema

    def rows(self) -> Iterator[Row]:
        """Every row; without a SMILES its text is empty; one that is very long is "too large"."""
        most = left = max(LARGEST, RATIO * self.path.stat().st_size)
        with self._open(self._shared) as file, self._told():
            for batch in file.iter_batches(batch_size=self._batch):
                for cells in zip(*map(cells_of, batch.columns), strict=True):
                    size = _size(cells)
                    left -= size
                    if left < 0:
                        raise too_large(self.path, f"to more than {most:,} bytes")
                    yield _row(cells, cells[self.column] or "", size)

    def _open(self, shared: Sequence[str] = ()) -> Any:
        parquet = pyarrow_parquet()
        if not self.path.is_file():
            raise DataError(f"there is no file {self.path}")
        with self._told():  # pre_buffer would keep the whole file
            return parquet.ParquetFile(
                self.path, pre_buffer=False, buffer_size=BUFFER, read_dictionary=list(shared)
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever goes wrong in pyarrow, as `DataError`."""
        try:
            yield
        except DataError:
            raise
        except (
            OSError,
            ValueError,
            LookupError,
            OverflowError,
            import_module("pyarrow").ArrowException,
        ) as error:
            said = " ".join(str(error).split())
            raise DataError(
                f"{self.path} is no whole Parquet file ({said}); get it again"
            ) from error


def _size(value: Any) -> int:
    """About how many bytes a row, or a cell, has."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        value = tuple(value.values())
    if not isinstance(value, (list, tuple)):
        return 0
    is_numbers = len(value) > 0 and isinstance(value[0], (int, float))
    return CELL * len(value) + (0 if is_numbers else sum(map(_size, value)))


def _row(cells: Sequence[Any], smiles: str, size: int) -> Row:
    if size <= LONGEST:
        return Row(cells, smiles)
    return Row(
        [_short(cell) for cell in cells], "", "too large", f"a row of over {LONGEST:,} bytes"
    )


def _short(cell: Any) -> Any:
    """A cell; of a very long text its beginning, of anything else that is so long nothing."""
    if _size(cell) <= WORD:
        return cell
    return cell[:SHOWN] if isinstance(cell, str) else None
