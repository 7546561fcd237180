"""SMILES, a line a molecule, with its name behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from molmeta.screening.libraries.base import Library, Row
from molmeta.text_files import LONGEST, open_text


class SmiLibrary(Library):
    """Lines of a SMILES, and behind a blank its name; a first line "smiles …" is a header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = ["smiles", "name"]
        first = next(self._lines(), "").split(maxsplit=1)
        self.titled = bool(first) and first[0].lower() == "smiles"

    def rows(self) -> Iterator[Row]:
        """Every line but a header; a blank one has the status "empty"."""
        lines = self._lines()
        if self.titled:
            next(lines, None)
        for line in lines:
            yield self._row(line)

    def _row(self, line: str) -> Row:
        smiles, name = (*line.split(maxsplit=1), "", "")[:2]
        if len(line) > LONGEST:
            reason = f"a line of over {LONGEST:,} characters"
            return Row([smiles[:100], ""], "", "too large", reason)
        if not smiles:
            return Row(["", ""], "", "empty", "the line is empty")
        return Row([smiles, name.strip()], smiles)

    def _lines(self) -> Iterator[str]:
        """Each line; of one that is too long, the beginning."""
        with open_text(self.path) as text:
            while line := text.readline(LONGEST + 1):
                rest = line
                while len(rest) > LONGEST and not rest.endswith("\n"):
                    rest = text.readline(LONGEST + 1)
                yield line
