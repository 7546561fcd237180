"""CSV files as frames of texts, with one line that says why not."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from molmeta.errors import DataError
from molmeta.registry import nearest
from molmeta.text_files import LONGEST, open_bytes

WIDEST = 1 << 16  # columns
PIECE = 1 << 18  # bytes that are read at once


def read_csv(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """All cells as text, an absent one as ""; plain or compressed by gzip, bzip2, xz or zip.

    Names of rows, which R writes without a name in the header, are left out.

    Parameters
    ----------
    columns : sequence of str, optional
        Those that are wanted alone.

    Raises
    ------
    DataError
        The file cannot be read as UTF-8 CSV with a header and at least one row, unpacks to far
        more than its size, lacks a column, or its rows have more cells than its header, which are
        not the names of rows.
    """
    header = read_header(path)
    _require(header, columns or (), path)
    try:
        with open_bytes(path, held=True) as file:
            lines = io.BufferedReader(_ShortLines(file, path), PIECE)
            frame = pd.read_csv(
                lines,
                dtype=str,
                keep_default_na=False,
                encoding="utf-8-sig",
            )
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {error.start}); save it as 'CSV UTF-8'"
        ) from None
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(f"{path} cannot be read as CSV: {str(error).strip()}") from None
    if frame.empty:
        raise DataError(f"{path} has a header but no rows")
    frame = _without_row_names(frame.fillna(""), path)
    return frame[list(columns)] if columns else frame


def _without_row_names(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A frame without the names of its rows, for which pandas takes cells that are too many."""
    names = frame.index
    if isinstance(names, pd.RangeIndex):
        return frame
    if names.nlevels > 1 or not names.is_unique or (frame.iloc[:, -1] == "").all():
        raise DataError(
            f"{path} has more cells in its rows than in its header; give every column a name, or "
            "take away the commas at the ends of lines"
        )
    return frame.reset_index(drop=True)


def require_columns(frame: pd.DataFrame, wanted: Sequence[str], path: str | Path) -> None:
    """Raise `DataError`, with the columns found and the nearest name, if one is missing."""
    _require([str(column) for column in frame.columns], wanted, path)


def _require(found: list[str], wanted: Sequence[str], path: str | Path) -> None:
    for column in wanted:
        if column not in found:
            raise DataError(f"{path} has no column '{column}'{nearest(column, found)}")


def read_header(path: Path) -> list[str]:
    """The names of the columns.

    Raises
    ------
    DataError
        The file cannot be read, is empty, or has far too many columns.
    """
    with open_bytes(path, held=True) as file:
        short = io.BufferedReader(_ShortLines(file, path), PIECE)
        lines = (line for line in io.TextIOWrapper(short, "utf-8-sig", "replace") if line.strip())
        try:
            header = next(csv.reader(lines), [])
        except csv.Error as error:
            raise DataError(f"{path} has a first line that is no header ({error})") from None
    if not header:
        raise DataError(f"{path} is empty; it needs a header line and rows")
    if len(header) > WIDEST:
        raise DataError(f"{path} has {len(header):,} columns; more than {WIDEST:,} are not read")
    return header


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
