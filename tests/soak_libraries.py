"""Libraries of the soak: some thousand rows of a few molecules, with bad ones here and there."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem, RDLogger

FORMATS = (".csv", ".smi", ".sdf", ".parquet", ".csv.gz", ".smi.xz", ".sdf.bz2", ".csv.zip")
MOST = {".sdf": 9_000}  # rows, of a format that is long to read; the others have
ROWS = 20_000
PARTS = ("C", "CC", "c1ccccc1", "C(=O)N", "O", "N", "C(F)(F)F", "C1CC1", "S", "c1ccncc1")
BAD = ("", "nonsense", "C C", "C" * 5000, "=1+1", "C[N", "\u00e9", "[Na+].[Cl-]", '"', "C\tC")


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as one:
        one.writestr("library.csv", content)
    return archive.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": zipped,
}


def write_library(path: Path, seed: int) -> None:
    """Write a library of the format that the name says."""
    RDLogger.DisableLog("rdApp.*")
    rng = np.random.default_rng(seed)
    kind, packed = (*path.suffixes, "")[:2]
    most = MOST.get(kind, ROWS)
    texts = molecules(rng, int(rng.integers(1, most if rng.integers(4) else 100)))
    if kind == ".parquet":
        table = pa.table({"id": range(len(texts)), "smiles": texts, "note": texts[::-1]})
        pq.write_table(table, path, row_group_size=int(rng.integers(100, 9_000)))
        return
    text = {".csv": as_csv, ".smi": as_smi, ".sdf": as_sdf}[kind](texts)
    path.write_bytes(PACK.get(packed, bytes)(text.encode()))


def molecules(rng: np.random.Generator, n: int) -> list[str]:
    """SMILES, one in a hundred of which is bad."""
    few = ["".join(rng.choice(PARTS, size=rng.integers(1, 6))) for _ in range(40)]
    drawn = rng.choice(few, size=n).tolist()
    for place in np.flatnonzero(rng.random(n) < 0.01):
        drawn[place] = str(rng.choice(BAD))
    return drawn


def as_csv(texts: list[str]) -> str:
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["id", "smiles", "a note"])
    rows.writerows([n, text, f'{n}, "é"\n{text}'] for n, text in enumerate(texts))
    return file.getvalue()


def as_smi(texts: list[str]) -> str:
    return "".join(f"{text} {n}\n" for n, text in enumerate(texts))


def as_sdf(texts: list[str]) -> str:
    blocks = {text: block(text) for text in set(texts)}
    return "".join(f"{n}{blocks[t]}>  <id>\n{n}\n\n$$$$\n" for n, t in enumerate(texts))


def block(text: str) -> str:
    """A molblock without its title; of what cannot be read, a damaged one."""
    mol = Chem.MolFromSmiles(text) if len(text) < 1000 else None
    return Chem.MolToMolBlock(mol) if mol else "\n damaged\n\n  1  0\nM  END\n"
