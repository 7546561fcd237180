"""SMILES, a line a molecule, with its name behind it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from molmeta.libraries.base import LONGEST, Library, Row
from molmeta.libraries.compression import open_bytes


class SmiLibrary(Library):
    """Lines of a SMILES, and behind a blank its name; a first line "smiles …" is a header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = ["smiles", "name"]
        first = next(self._lines(), "")
        self.titled = first.split(None, 1)[:1] in (["smiles"], ["SMILES"], ["Smiles"])

    def rows(self) -> Iterator[Row]:
        """Every line but a header; a blank one has the status "empty"."""
        lines = self._lines()
        if self.titled:
            next(lines)
        for line in lines:
            smiles, name = (*line.split(None, 1), "", "")[:2]
            if len(line) > LONGEST:
                yield Row(
                    [smiles[:100], ""], "", "too large", f"a line of over {LONGEST:,} characters"
                )
            else:
                yield Row([smiles, name.strip()], smiles)

    def _lines(self) -> Iterator[str]:
        with open_bytes(self.path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape")
            try:
                while line := text.readline(LONGEST + 1):
                    rest = line
                    while len(rest) > LONGEST and not rest.endswith(
                        "\n"
                    ):  # pass over the rest of it
                        rest = text.readline(LONGEST + 1)
                    yield line
            finally:
                text.detach()
