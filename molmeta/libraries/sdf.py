"""Structure-data files (SDF): blocks of atoms and bonds, with named fields."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from molmeta.libraries.base import LONGEST, Kind, Library, Row
from molmeta.libraries.compression import open_bytes

FIELD = re.compile(r"^>.*?<([^>]+)>")
END = "$$$$"


class SdfLibrary(Library):
    """Records that end in `$$$$`; the header is `title`, and every field that any record has."""

    kind: ClassVar[Kind] = "molblock"

    def __init__(self, path: Path) -> None:
        self.path = path
        names: dict[str, None] = {"title": None}
        for record in self._records():
            for line in record:
                found = FIELD.match(line)
                if found:
                    names.setdefault(found[1])
        self.header = list(names)

    def rows(self) -> Iterator[Row]:
        """Every record."""
        for record in self._records():
            yield self._row(record)

    def _row(self, record: list[str]) -> Row:
        block, fields = record, dict.fromkeys(self.header, "")
        fields["title"] = record[0].strip() if record else ""
        for number, line in enumerate(record):
            found = FIELD.match(line)
            if found:
                block = block if len(block) < len(record) else record[:number]
                value = []
                for text in record[number + 1 :]:
                    if not text.strip() or FIELD.match(text):
                        break
                    value.append(text)
                fields[found[1]] = "\n".join(value)
        cells = [fields[name] for name in self.header]
        if sum(map(len, record)) > LONGEST:
            return Row(cells, "", "too large", f"a record of over {LONGEST:,} characters")
        if not any(line.strip() for line in block):
            return Row(cells, "", "empty", "the record is empty")
        return Row(cells, "\n".join(block) + "\n")

    def _records(self) -> Iterator[list[str]]:
        """The lines of each record, without their ends; of one that is too long, the first."""
        with open_bytes(self.path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape")
            try:
                record: list[str] = []
                size = 0
                while line := text.readline(LONGEST + 1):
                    if line.startswith(END):
                        yield record
                        record, size = [], 0
                    elif size <= LONGEST:
                        record.append(line.rstrip("\r\n"))
                        size += len(line)
                if any(line.strip() for line in record):
                    yield record
            finally:
                text.detach()
