"""What every library is: a header, and rows that are read one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from molmeta.datasets import named_smiles
from molmeta.errors import DataError
from molmeta.registry import nearest

Kind = Literal["smiles", "molblock"]
SMILES = "smiles"  # the column, unless another is named


@dataclass(frozen=True)
class Row:
    """One row of a library.

    Attributes
    ----------
    cells : sequence
        As many as the header has; texts, or of Parquet whatever stands there.
    text : str
        Its molecule, as SMILES or as a block of an SDF.
    status, reason : str
        "ok", or what is wrong with the row itself.
    """

    cells: Sequence[Any]
    text: str
    status: str = "ok"
    reason: str = ""


class Library(ABC):
    """A file of molecules, read as a stream: in constant memory, as often as is asked.

    Attributes
    ----------
    path : Path
    header : list of str
        Names of its columns.
    kind : {"smiles", "molblock"}
        What `Row.text` is.
    smiles_column : str
        The column that `Row.text` is read from, where one chooses it.
    """

    kind: ClassVar[Kind] = "smiles"
    smiles_column: str = ""
    path: Path
    header: list[str]

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Every row, in order: as many as the file has, bad ones too.

        Raises
        ------
        DataError
            The file cannot be read on.
        """

    def schema(self) -> Any:
        """Arrow's types of the columns, where they are more than texts; else None."""
        return None

    def refuse_columns(self, added: Sequence[str]) -> None:
        """Raise `DataError`, if a column that is to be added is there already."""
        taken = [name for name in added if name in self.header]
        if taken:
            raise DataError(
                f"{self.path} has already a column '{taken[0]}', which the output adds; rename it "
                "first"
            )


def find_column(path: Path, header: Sequence[str], name: str) -> int:
    """Where a column stands in a header; `smiles` may have another of its usual names.

    Raises
    ------
    DataError
        It has no such column, or two columns of one name.
    """
    if name == SMILES and name not in header:
        name = named_smiles(header) or name
    if name not in header:
        raise DataError(f"{path} has no column '{name}'{nearest(name, header)}")
    if len(set(header)) < len(header):
        twice = next(one for one, times in Counter(header).items() if times > 1)
        raise DataError(f"{path} has two columns '{twice}'; rename one")
    return header.index(name)
