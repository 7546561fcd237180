"""Write what was screened: as CSV, or as Parquet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from molmeta.errors import DataError
from molmeta.screening.columns import kind_of
from molmeta.screening.libraries import Library, LineWriter, pyarrow_parquet, suffix
from molmeta.text_files import utf8

FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Sink(ABC):
    """Takes rows, and writes them."""

    @abstractmethod
    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write some rows, each as wide as the header."""

    @abstractmethod
    def close(self) -> None:
        """Write what is left."""


class CsvSink(Sink):
    """CSV, with lines that end in one character; bytes that were no UTF-8 come out as they were.

    Parameters
    ----------
    path : Path
    header : sequence of str
    neutralise : bool
        Put an apostrophe before a text that a spreadsheet would run as a formula.
    """

    def __init__(self, path: Path, header: Sequence[str], *, neutralise: bool = False) -> None:
        self.neutralise = neutralise
        self.file = path.open("w", newline="", encoding="utf-8", errors="surrogateescape")
        self.lines = LineWriter(self.file)
        self.write([header])

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write some rows."""
        if self.neutralise:
            rows = [[_neutral(cell) for cell in row] for row in rows]
        self.lines.rows.writerows(rows)

    def close(self) -> None:
        """Write what is left."""
        self.file.close()


class ParquetSink(Sink):
    """Parquet: scores are numbers, `inside` is true or false, the library's what they were."""

    def __init__(self, path: Path, library: Library, added: Sequence[str]) -> None:
        parquet = pyarrow_parquet()
        import pyarrow

        self.pyarrow = pyarrow
        known = library.schema()
        fields = list(known) if known is not None else [
            pyarrow.field(utf8(name), pyarrow.string()) for name in library.header
        ]  # fmt: skip
        kinds = {"text": pyarrow.string, "truth": pyarrow.bool_, "number": pyarrow.float64}
        fields += [pyarrow.field(name, kinds[kind_of(name)]()) for name in added]
        self.schema = pyarrow.schema(fields)
        plain = ["text" if known is None else ""] * len(library.header)
        self.kinds = [*plain, *map(kind_of, added)]
        self.writer = parquet.ParquetWriter(path, self.schema)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write some rows, as one group."""
        arrays = []
        columns = zip(self.schema, self.kinds, zip(*rows, strict=True), strict=True)
        for field, kind, values in columns:
            if kind == "number":
                values = [float(value) if value else None for value in values]
            elif kind == "truth":
                values = [value == "True" if value else None for value in values]
            elif kind == "text":
                values = [utf8(value) for value in values]
            arrays.append(self.pyarrow.array(values, type=field.type))
        self.writer.write_table(self.pyarrow.table(arrays, schema=self.schema))

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()


def open_sink(
    path: Path, target: Path, library: Library, added: Sequence[str], *, neutralise: bool
) -> Sink:
    """What writes to `path` in the format of `target`, by the ending of its name."""
    if suffix(target) == ".parquet":
        return ParquetSink(path, library, added)
    return CsvSink(path, [*library.header, *added], neutralise=neutralise)


def check_format(output: Path) -> None:
    """Raise `DataError`, if an output is neither CSV nor Parquet, or Parquet cannot be written."""
    if suffix(output) not in (".csv", ".parquet") or suffix(output) != output.suffix.lower():
        raise DataError(f"{output}: scores are written to .csv or .parquet")
    if suffix(output) == ".parquet":
        pyarrow_parquet()


def _neutral(cell: Any) -> Any:
    if not isinstance(cell, str) or not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
