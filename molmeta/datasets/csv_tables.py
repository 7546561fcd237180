"""CSV files as frames of texts, with one line that says why not."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pandas as pd

from molmeta.datasets.columns import header_of, holds_smiles, named_smiles
from molmeta.errors import DataError
from molmeta.registry import nearest
from molmeta.text_files import LONGEST, MARKS, open_bytes

WIDEST = 1 << 16  # columns
PIECE = 1 << 18  # bytes that are read at once
SEPARATORS = {"\t": "tab", ";": "';'", "|": "'|'", ",": "','"}  # of equals the first: a tab
# is in no text, a comma is in many
SAID = re.compile(r'"?sep=([,;|\t])"?')
TITLES = 20  # lines, at most, that may stand above the header
LOOKED, SAMPLE = 50, 1 << 20  # lines, and characters, that are looked at to find the separator


@dataclass(frozen=True)
class Writing:
    """How a table of texts is written.

    Attributes
    ----------
    encoding : str
    separator : str
    header : list of str
        The names of the columns, as they stand; or `smiles` and numbers, where there are none.
    headed : bool
        Whether the first line has names.
    row_names : bool
        Whether rows have names in front, which the header does not count.
    skipped : int
        Lines above the header.
    """

    encoding: str
    separator: str
    header: list[str]
    headed: bool = True
    row_names: bool = False
    skipped: int = 0

    def understood(self) -> list[str]:
        """What is not as usual."""
        said = []
        if self.separator != ",":
            said.append(f"separated by {SEPARATORS[self.separator]}")
        if self.encoding != "utf-8-sig":
            said.append(f"written in {self.encoding}")
        if not self.headed:
            said.append(f"no header: columns are called {', '.join(self.header[:5])}")
        if self.row_names:
            said.append("names of rows left out")
        if self.skipped:
            lines = "line" if self.skipped == 1 else "lines"
            said.append(f"{self.skipped} {lines} above the header left out")
        return said


def read_csv(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """All cells as text, an absent one as ""; plain or compressed by gzip, bzip2, xz or zip.

    Cells are separated by commas, semicolons, tabs or bars; texts are in UTF-8, UTF-16 or
    Windows-1252. Names of rows, which R writes without a name in the header, are left out.

    Parameters
    ----------
    columns : sequence of str, optional
        Those that are wanted alone.

    Raises
    ------
    DataError
        The file cannot be read as CSV with at least one row, unpacks to far more than its size,
        lacks a column, or its rows have more cells than its header, which are not the names of
        rows for sure.
    """
    frame, writing = read_written(path)
    _require(writing.header, columns or (), path)
    return frame[list(columns)] if columns else frame


def read_written(path: Path) -> tuple[pd.DataFrame, Writing]:
    """A table as `read_csv` reads it, and how it is written."""
    encodings = _encodings(path)
    for encoding in encodings:
        try:
            writing = _look(path, encoding)
            frame = _read(path, writing)
            if isinstance(frame.index, pd.RangeIndex):
                return frame, writing
            _require_row_names(frame, path)
            return frame.reset_index(drop=True), replace(writing, row_names=True)
        except UnicodeError:
            continue
    raise DataError(f"{path} is not in {' or '.join(encodings)}; save it as 'CSV UTF-8'")


def read_header(path: Path) -> list[str]:
    """The names of the columns.

    Raises
    ------
    DataError
        The file cannot be read, is empty, or has far too many columns.
    """
    return _look(path, _encodings(path)[0], errors="replace").header


def _encodings(path: Path) -> tuple[str, ...]:
    with open_bytes(path, held=True, utf16=True) as file:
        start = file.read(PIECE)
    if start.startswith(MARKS):
        return ("utf-16",)
    # zeros are in no text of one byte a letter
    return ("utf-8-sig",) if b"\0" in start else ("utf-8-sig", "cp1252")


def _read(path: Path, writing: Writing) -> pd.DataFrame:
    try:
        with open_bytes(path, held=True, utf16=True) as file:
            lines = io.BufferedReader(_ShortLines(file, path), PIECE)
            frame = pd.read_csv(
                lines,
                dtype=str,
                keep_default_na=False,
                sep=writing.separator,
                encoding=writing.encoding,
                header=0 if writing.headed else None,
                names=None if writing.headed else writing.header,
                skiprows=writing.skipped,
            )
    except (DataError, UnicodeError):
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(f"{path} cannot be read as CSV: {str(error).strip()}") from None
    if frame.empty:
        raise DataError(f"{path} has a header but no rows")
    frame = frame.fillna("")
    _refuse_open_quotes(frame, writing, path)
    return frame


def _look(path: Path, encoding: str, errors: str = "strict") -> Writing:
    """Find out how a table is written, from its first lines."""
    lines: list[str] = []
    with open_bytes(path, held=True, utf16=True) as file:
        short = io.BufferedReader(_ShortLines(file, path), PIECE)
        for line in io.TextIOWrapper(short, encoding, errors):
            lines.append(line)
            if len(lines) > LOOKED or sum(map(len, lines)) > SAMPLE:
                break
    if not "".join(lines).strip():
        raise DataError(f"{path} is empty; it needs a header line and rows")
    separator, skipped = _separator(lines)
    try:
        rows = [row for row in csv.reader(lines[skipped:], delimiter=separator) if row]
    except csv.Error as error:
        raise DataError(f"{path} has a first line that is no header ({error})") from None
    widest = max(map(len, rows))
    if widest > WIDEST:
        raise DataError(f"{path} has {widest:,} columns; more than {WIDEST:,} are not read")
    return Writing(encoding, separator, *header_of(rows), skipped=skipped)


def _separator(lines: list[str]) -> tuple[str, int]:
    """The separator by which most lines have equally many cells, and how many stand above these."""
    if found := SAID.fullmatch(lines[0].strip()):  # Excel writes it for itself
        return found[1], 1

    def fit(separator: str) -> tuple[float, bool, int]:
        above = _above(lines, separator)
        try:
            widths = [len(row) for row in csv.reader(lines[above:], delimiter=separator) if row]
        except csv.Error:
            return (0.0, False, 0)
        width, times = Counter(widths[1:] or widths).most_common(1)[0]
        share = times / max(1, len(widths) - 1) if width > 1 and widths[0] > 1 else 0.0
        return (round(share, 2), widths[0] == width, width)

    best = max(SEPARATORS, key=fit)
    if not fit(best)[0]:  # one column
        return ",", next(number for number, line in enumerate(lines) if line.strip())
    return best, _above(lines, best)


def _above(lines: list[str], separator: str) -> int:
    """How many of the first lines have one cell, where those below have several; empty ones too."""
    several = (
        number
        for number, line in enumerate(lines[:TITLES])
        if separator in line or line.count('"') % 2  # a cell that goes on in the next line
    )
    return next(several, next(n for n, line in enumerate(lines) if line.strip()))


def _refuse_open_quotes(frame: pd.DataFrame, writing: Writing, path: Path) -> None:
    """Refuse a cell in which a row begins: a quote was not closed, and rows would be lost."""
    least = max(2, len(frame.columns) - 1) if writing.separator == "," else 1
    for name in frame.columns:
        long = frame[name][frame[name].str.contains("\n", regex=False)]
        for row, text in zip(long.index, long, strict=True):
            if any(line.count(writing.separator) >= least for line in text.split("\n")[1:]):
                raise DataError(
                    f"{path}: row {frame.index.get_loc(row) + 1}, column '{name}' holds "  # type: ignore[operator]
                    f"{text[:30]!r}, over several lines; a quote is not closed there"
                )


def _require_row_names(frame: pd.DataFrame, path: Path) -> None:
    """Refuse a first cell that the header does not count, unless it is the name of its row.

    A number with a decimal comma that is not quoted becomes two cells, too, and would move all
    that stand in front of the molecules.
    """
    names, columns = frame.index, list(frame.columns)
    smiles = named_smiles(columns)
    safe = names.nlevels == 1 and names.is_unique and smiles is not None
    if safe and smiles is not None:
        front = [frame[name] for name in columns[: columns.index(smiles)]]
        front = front if _counts(names) else [pd.Series(names), *front]
        whole = [column.str.fullmatch(r"[+-]?\d+").all() for column in front]
        split = any(whole[i] and whole[i + 1] for i in range(len(whole) - 1))
        safe = holds_smiles(frame[smiles], shortest=1) and not split
    if not safe:
        raise DataError(
            f"{path} has more cells in its rows than in its header; give every column a name (one "
            "of the names of rows too), put numbers with a decimal comma in quotes, and take away "
            "commas at the ends of lines"
        )


def _counts(names: pd.Index) -> bool:
    """Whether the names of rows number them, from 0 or 1."""
    return any(list(names) == list(map(str, range(k, len(names) + k))) for k in (0, 1))


def require_columns(frame: pd.DataFrame, wanted: Sequence[str], path: str | Path) -> None:
    """Raise `DataError`, with the columns found and the nearest name, if one is missing."""
    _require([str(column) for column in frame.columns], wanted, path)


def _require(found: list[str], wanted: Sequence[str], path: str | Path) -> None:
    for column in wanted:
        if column not in found:
            raise DataError(f"{path} has no column '{column}'{nearest(column, found)}")


class _ShortLines(io.RawIOBase):
    """A stream that ends in an error, if a line goes on for too long."""

    def __init__(self, source: IO[bytes], path: Path) -> None:
        super().__init__()
        self.source, self.path, self.length = source, path, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read what fits into the buffer."""
        content = self.source.read(len(buffer))
        buffer[: len(content)] = content
        end = max(content.rfind(b"\n"), content.rfind(b"\r"))
        self.length = len(content) - end - 1 + (self.length if end < 0 else 0)
        if self.length > LONGEST:
            raise DataError(
                f"{self.path} has a line of more than {LONGEST:,} bytes; is this no table?"
            )
        return len(content)
