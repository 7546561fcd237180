"""Library files for tests: written, opened, read, refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from molmeta.errors import DataError
from molmeta.screening.libraries.base import Library, Row
from molmeta.screening.libraries.formats import open_library

SMILES = ["CCO", "c1ccccc1C(=O)NC", "CC(=O)[O-].[Na+]", "xyz", "C[C@H](N)C(=O)O"] * 4
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def zipped(files: dict[str, str]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as one:
        for name, content in files.items():
            one.writestr(name, content)
    return archive.getvalue()


def block(text: str, title: str = "") -> str:
    mol = Chem.MolFromSmiles(text) or Chem.Mol()
    mol.SetProp("_Name", title)
    return Chem.MolToMolBlock(mol)


CONTENTS = {
    ".csv": "id,smiles\n" + "".join(f"{n},{text}\n" for n, text in enumerate(SMILES)),
    ".smi": "".join(f"{text} {n}\n" for n, text in enumerate(SMILES)),
    ".sdf": "".join(f"{block(text, str(n))}$$$$\n" for n, text in enumerate(SMILES)),
}


def opened(folder: Path, name: str, content: str | bytes, **options: str) -> Library:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_library(path, **options)


def table(folder: Path, name: str = "a.parquet", /, **columns: object) -> Path:
    path = folder / name
    pq.write_table(pa.table(columns), path)
    return path


def read(library: Library) -> list[Row]:
    """All rows, which are as wide as the header, and the same when they are asked for again."""
    rows = list(library.rows())
    assert [len(row.cells) for row in rows] == [len(library.header)] * len(rows)
    assert all((row.status == "ok") == (row.reason == "") for row in rows)
    assert all(row.text == "" for row in rows if row.status != "ok")
    assert list(library.rows()) == rows
    return rows


def refused(folder: Path, name: str, content: str | bytes, *said: str, **options: str) -> None:
    """The library is refused in one line that says all of `said`, when opened or when read."""
    with pytest.raises(DataError) as caught:
        list(opened(folder, name, content, **options).rows())
    message = str(caught.value)
    assert "\n" not in message
    assert name in message
    for text in said:
        assert text in message


# Every format
