"""What of a Parquet file is held at once: bombs refused, long texts shared, rows in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from molmeta.errors import DataError
from molmeta.screening.libraries.parquet_footer import TEXT, Chunk
from molmeta.screening.libraries.parquet_words import longest_word
from molmeta.text_files import LONGEST, RATIO

BATCH, HELD = 1024, 1 << 28  # rows, and bytes, that are held at once
WORD = 1 << 16  # bytes of a text; columns with longer ones hold each text once
CELLS = 1 << 22  # that are held at once


def too_large(path: Path, what: str) -> DataError:
    """The error that a file unpacks to more than it may."""
    return DataError(
        f"{path} unpacks {what}, over {RATIO} times its size; if it is no bomb, write it as CSV"
    )


def refuse_bombs(path: Path, chunks: Sequence[Chunk]) -> None:
    """Raise `DataError`, if what is read in one go is far larger than the file that holds it."""
    whole = path.stat().st_size
    for chunk in chunks:
        most, name = RATIO * min(chunk.packed, whole), ".".join(chunk.path)
        if chunk.unpacked > max(HELD, most):
            raise too_large(path, f"its column '{name}' to {chunk.unpacked:,} bytes at once")
        inside = (chunk.values - chunk.rows) * max(1, chunk.width)
        if inside > max(LONGEST, most):
            raise too_large(path, f"the lists of its column '{name}' to {inside:,} bytes at once")
        if chunk.width > LONGEST:
            raise too_large(path, f"each cell of '{name}' to {chunk.width:,} bytes")


def shared_columns(path: Path, chunks: Sequence[Chunk]) -> list[str]:
    """Columns of texts to be read as dictionaries: those with long texts, and those in lists."""
    shared: dict[str, None] = {}
    with path.open("rb") as file:
        for chunk in chunks:
            name = ".".join(chunk.path)
            if chunk.kind != TEXT or name in shared:
                continue
            if len(chunk.path) > 1 or (chunk.unpacked > WORD < longest_word(file, chunk)):
                shared[name] = None
    return list(shared)


def rows_at_once(chunks: Sequence[Chunk]) -> int:
    """Rows of a batch: fewer, where there are very many columns or very wide ones."""
    columns = {chunk.path: chunk.width for chunk in chunks}
    width = max(1, sum(columns.values()))
    return max(1, min(BATCH, CELLS // max(1, len(columns)), HELD // width))
