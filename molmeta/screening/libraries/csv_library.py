"""CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from molmeta.errors import DataError
from molmeta.screening.libraries.base import Library, Row, find_column
from molmeta.text_files import LONGEST, open_text

csv.field_size_limit(2**31 - 1)  # a long cell is a row with a status, not the end


class LineWriter:
    """Writes CSV with lines that end in one character, quoting every cell that has a line's end.

    Python's writer quotes a lone carriage return only where its own lines end in one.
    """

    def __init__(self, text: IO[str]) -> None:
        self.text = text
        self.rows = csv.writer(self, lineterminator="\r\n")

    def write(self, line: str) -> None:
        """Take a line of the writer."""
        self.text.write(line[:-2] + "\n")


class CsvLibrary(Library):
    """A CSV file with a header; bytes that are no UTF-8 are kept as they are.

    Cells are separated by commas, or by what the header has in their place: `;`, a tab or `|`.

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
        self.path, self.separator = path, _separator(path)
        header = next(self._records(), None)
        if not header or isinstance(header, str):
            raise DataError(
                f"{path} is empty, or its first line is no header; it needs a header line and rows"
            )
        self.header, self.column = header, find_column(path, header, smiles_column)
        self.smiles_column = smiles_column

    def rows(self) -> Iterator[Row]:
        """Every row; one with a stray quote, too few or too many cells is "malformed"."""
        records = self._records()
        next(records, None)
        for cells in records:
            yield self._stray(cells) if isinstance(cells, str) else self._row(cells)

    def _records(self) -> Iterator[list[str] | str]:
        """The cells of each record; of a line that is wrongly quoted, its text."""
        with open_text(self.path, newline="") as text:
            lines = _Lines(text, self.path)
            reader = csv.reader(lines, delimiter=self.separator, strict=True)
            while True:
                try:
                    record: list[str] | str = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    record = lines.alone(error)
                lines.start_record(reader.line_num + 1)
                yield record

    def _stray(self, line: str) -> Row:
        reason = "a quote stands in a cell, where it must be doubled"
        return Row([line, *[""] * (len(self.header) - 1)], "", "malformed", reason)

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


def _separator(path: Path) -> str:
    """What stands between the cells of a header."""
    with open_text(path, newline="") as text:
        header = text.readline(LONGEST)
    return next((one for one in ",;\t|" if one in header), ",")


class _Lines:
    """Lines of a text, of which one record may not take more than `LONGEST` characters."""

    def __init__(self, text: IO[str], path: Path) -> None:
        self.text, self.path = text, path
        self.start_record(1)

    def start_record(self, first: int) -> None:
        """Count anew: the next record begins in the line `first`."""
        self.used, self.first, self.last, self.ended = 0, first, "", False

    def alone(self, error: csv.Error) -> str:
        """The line that could not be read, if no other was read with it.

        Raises
        ------
        DataError
            There were others: which of them belong together is not to be known.
        """
        if self.ended or self.used > len(self.last):
            raise DataError(
                f"{self.path}, line {self.first}: {error}; is a quote left open?"
            ) from None
        return self.last.rstrip("\r\n")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.text.readline(LONGEST + 1)
        self.used += len(line)
        if self.used > LONGEST:
            raise DataError(
                f"{self.path}, line {self.first}: a record of more than {LONGEST:,} characters; is "
                "a quote left open, or is this no table?"
            )
        if not line:
            self.ended = True
            raise StopIteration
        self.last = line
        return line
