"""CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from molmeta.errors import DataError
from molmeta.libraries.base import LONGEST, Library, Row
from molmeta.libraries.compression import open_bytes
from molmeta.registry import nearest

csv.field_size_limit(2**31 - 1)  # a long cell is a row with a status, not the end


class CsvLibrary(Library):
    """A CSV file with a header; bytes that are no UTF-8 are kept as they are.

    Parameters
    ----------
    path : Path
    smiles_column : str

    Raises
    ------
    DataError
        It is empty, or has no such column, or two columns of one name.
    """

    def __init__(self, path: Path, smiles_column: str = "smiles") -> None:
        self.path = path
        with open_bytes(path) as file:
            header = next(self._records(file), None)
        if header is None:
            raise DataError(f"{path} is empty; it needs a header line and rows")
        if smiles_column not in header:
            raise DataError(
                f"{path} has no column '{smiles_column}'{nearest(smiles_column, header)}"
            )
        twice = [name for name in header if header.count(name) > 1]
        if twice:
            raise DataError(f"{path} has two columns '{twice[0]}'; rename one")
        self.header, self.column = header, header.index(smiles_column)

    def rows(self) -> Iterator[Row]:
        """Every row; one with too few or too many cells has the status "malformed"."""
        with open_bytes(self.path) as file:
            records = self._records(file)
            next(records)
            for cells in records:
                yield self._row(cells)

    def _records(self, file: IO[bytes]) -> Iterator[list[str]]:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        lines = _Lines(text, self.path)
        reader = csv.reader(lines, strict=True)
        try:
            for record in reader:
                lines.start_record()
                yield record
        except csv.Error as error:
            raise DataError(
                f"{self.path}, line {reader.line_num}: {error}; is a quote left open?"
            ) from None
        finally:
            text.detach()

    def _row(self, cells: list[str]) -> Row:
        if len(cells) == len(self.header):
            return Row(cells, cells[self.column])
        if not cells:
            return Row([""] * len(self.header), "", "empty", "the row is empty")
        kept = (cells + [""] * len(self.header))[: len(self.header)]
        reason = f"the row has {len(cells)} cells, the header {len(self.header)}"
        if len(cells) > len(self.header):
            reason += f"; cells left out: {cells[len(self.header) :]}"
        return Row(kept, "", "malformed", reason)


class _Lines:
    """Lines of a text, of which one record may not take more than `LONGEST` characters."""

    def __init__(self, text: IO[str], path: Path) -> None:
        self.text, self.path, self.used = text, path, 0

    def start_record(self) -> None:
        """Count anew."""
        self.used = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.text.readline(LONGEST + 1)
        self.used += len(line)
        if self.used > LONGEST:
            raise DataError(
                f"{self.path} has a record of more than {LONGEST:,} characters; is a quote left "
                "open, or is this no table?"
            )
        if not line:
            raise StopIteration
        return line
