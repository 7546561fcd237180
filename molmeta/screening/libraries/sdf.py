"""Structure-data files (SDF): blocks of atoms and bonds, with named fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from molmeta.errors import DataError
from molmeta.screening.libraries.base import Kind, Library, Row
from molmeta.text_files import LONGEST, open_text

FIELD = re.compile(r"^>.*?<([^>]+)>")
END = "$$$$"
WIDEST = 8  # cells of the table that a character of the file may stand for


class SdfLibrary(Library):
    """Records that end in `$$$$`; the header is `title`, and every field that any record has.

    Where a field has that name itself, the title's is `title_`. What is no UTF-8 stays in the
    cells, and is replaced in `Row.text`.

    Raises
    ------
    DataError
        Its records have so many fields that differ that the table of them would be far larger than
        the file.
    """

    kind: ClassVar[Kind] = "molblock"

    def __init__(self, path: Path) -> None:
        self.path = path
        names = self._names()
        title = "title"
        while title in names:
            title += "_"
        self.header = [title, *names]

    def rows(self) -> Iterator[Row]:
        """Every record."""
        for lines, whole in self._records():
            yield self._row(lines, whole=whole)

    def _names(self) -> dict[str, None]:
        """The names of all fields, in the order in which they come."""
        names: dict[str, None] = {}
        read = 0
        for number, (lines, _) in enumerate(self._records(), start=1):
            names.update(dict.fromkeys(_parts(lines)[1]))
            read += len(lines) + sum(map(len, lines))
            if number * len(names) > max(LONGEST, WIDEST * read):
                raise DataError(
                    f"{self.path} has {len(names):,} different fields in {number:,} records, few "
                    "of them in each; leave fields out, or write it as CSV"
                )
        return names

    def _row(self, lines: list[str], *, whole: bool) -> Row:
        block, fields = _parts(lines)
        title = lines[0].strip() if lines else ""
        cells = [title, *(fields.get(name, "") for name in self.header[1:])]
        if not whole:
            return Row(cells, "", "too large", f"a record of over {LONGEST:,} characters")
        if not block.strip():
            return Row(cells, "", "empty", "the record is empty")
        return Row(cells, block.encode("utf-8", "replace").decode())

    def _records(self) -> Iterator[tuple[list[str], bool]]:
        """The lines of each record, without their ends; and whether these are all."""
        with open_text(self.path) as text:
            record: list[str] = []
            size, begins = 0, True  # of the record; whether what is read next begins a line
            while line := text.readline(LONGEST + 1):
                if begins and line.startswith(END):
                    yield record, size <= LONGEST
                    record, size = [], 0
                elif size <= LONGEST:
                    record.append(line.rstrip("\n"))
                    size += len(line)
                begins = line.endswith("\n")
            if any(line.strip() for line in record):
                yield record, size <= LONGEST


def _parts(record: list[str]) -> tuple[str, dict[str, str]]:
    """The block of a record; and its fields, each of which a blank line ends."""
    block: list[str] = []
    fields: dict[str, list[str]] = {}
    place = block
    for line in record:
        found = FIELD.match(line)
        if found:
            place = fields[found[1]] = []
        elif place is not block and not line.strip():
            place = []
        else:
            place.append(line)
    joined = {name: "\n".join(value) for name, value in fields.items()}
    return "".join(f"{line}\n" for line in block), joined
