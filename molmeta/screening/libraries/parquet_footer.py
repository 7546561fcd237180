"""What a Parquet file says of itself at its end.

pyarrow tells it too, but where it is damaged that ends the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from molmeta.screening.libraries.thrift import read_struct

TEXT, WIDE = 6, 7  # types: of any length, of one length
SCHEMA, GROUPS = 2, 4  # fields of the whole,
TYPE, LENGTH, CHILDREN = 1, 2, 5  # of an element of the schema,
COLUMNS, ROWS = 1, 3  # of a group of rows,
ABOUT = 3  # and of a column in it
TAIL = 8  # bytes: the length of what stands before them, and a mark


class Chunk(NamedTuple):
    """A column in a group of rows.

    Attributes
    ----------
    path : tuple of str
        Its name; of what stands in lists and structs, several.
    kind, width : int
        Its type, and the bytes of a value of `WIDE`.
    codec : int
    rows, values : int
        Of the group; and values in it, which are more where there are lists.
    unpacked, packed : int
        Bytes.
    start : int
        Where it begins.
    """

    path: tuple[str, ...]
    kind: int
    width: int
    codec: int
    rows: int
    values: int
    unpacked: int
    packed: int
    start: int


def chunks_of(path: Path) -> list[Chunk]:
    """Every column of every group of rows.

    Raises
    ------
    ValueError
        They are not told as they should be.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2) - TAIL
        file.seek(max(0, end))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, end - length))
        content = file.read(length)
    try:
        return list(_chunks(read_struct(content)[0]))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"its end cannot be read: {error!r}") from error


def _chunks(whole: dict[int, Any]) -> Iterator[Chunk]:
    leaves = [one for one in whole[SCHEMA][1:] if not one.get(CHILDREN)]
    widths = [one.get(LENGTH, 0) if one.get(TYPE) == WIDE else 0 for one in leaves]
    for group in whole[GROUPS]:
        for column, width in zip(group[COLUMNS], widths, strict=True):
            about = column[ABOUT]
            yield Chunk(
                path=tuple(name.decode() for name in about[3]),
                kind=about[1],
                width=width,
                codec=about[4],
                rows=group[ROWS],
                values=about[5],
                unpacked=about[6],
                packed=about[7],
                start=min(filter(None, (about[9], about.get(11)))),
            )
