"""Parquet libraries: types, orders, groups of rows, and damage that is told."""

from __future__ import annotations

import gzip
import random
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from library_files import SMILES, opened, read, refused, table

from molmeta.errors import DataError
from molmeta.screening.libraries.formats import open_library


def test_parquet_columns_keep_their_types(tmp_path: Path) -> None:
    columns = {
        "smiles": pa.array(["C", None, "", "CC"]),
        "number": pa.array([1, None, 3, 4], pa.int32()),
        "value": pa.array([0.5, 1.5, None, 2.5], pa.float32()),
        "flag": pa.array([True, False, None, True]),
        "list": pa.array([[1], [], None, [2, 3]]),
        "day": pa.array([0, 1, None, 3], pa.date32()),
        "kind": pa.array(["a", "b", "a", None]).dictionary_encode(),
    }
    library = open_library(table(tmp_path, **columns))
    assert (library.header, library.kind) == (list(columns), "smiles")
    assert library.schema().types == [column.type for column in columns.values()]
    rows = read(library)
    assert [row.text for row in rows] == ["C", "", "", "CC"]
    cells = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    assert [tuple(row.cells) for row in rows] == list(cells)


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(["C", None], pa.large_string()),
        pa.array(["C", None], pa.string_view()),
        pa.array(["C", None]).dictionary_encode(),
        pa.array([None, None], pa.null()),
    ],
    ids=lambda texts: str(texts.type)[:10],
)
def test_parquet_texts_of_every_kind(texts: pa.Array, tmp_path: Path) -> None:
    rows = read(open_library(table(tmp_path, smiles=texts)))
    assert [row.text for row in rows] == [text or "" for text in texts.to_pylist()]


@pytest.mark.parametrize(
    "values",
    [[1, 2], [1.5, None], [b"C", b"CC"], [["C"], ["CC"]], [{"a": "C"}, None], [True, False]],
    ids=str,
)
def test_parquet_whose_smiles_are_no_texts(values: list[object], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.parquet: the column 'smiles' holds \S+.*, not texts"):
        open_library(table(tmp_path, smiles=values))


def test_parquet_without_a_good_header(tmp_path: Path) -> None:
    path = table(tmp_path, Smile=["C"], y=[1])
    with pytest.raises(DataError, match="no column 'smiles'; did you mean 'Smile'"):
        open_library(path)
    assert [row.text for row in read(open_library(path, "Smile"))] == ["C"]
    usual = table(tmp_path, Smiles=["C"], y=[1])
    assert [row.text for row in read(open_library(usual))] == ["C"]
    twice = pa.Table.from_arrays([pa.array(["C"])] * 3, names=["smiles", "y", "y"])
    pq.write_table(twice, path)
    with pytest.raises(DataError, match="two columns 'y'"):
        open_library(path)


def test_parquet_without_rows(tmp_path: Path) -> None:
    library = open_library(table(tmp_path, smiles=pa.array([], pa.string())))
    assert read(library) == []


def test_parquet_of_many_batches_and_groups_keeps_its_order(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    content = pa.table({"smiles": ["C" * (n % 7 + 1) for n in range(5000)], "n": range(5000)})
    pq.write_table(content, path, row_group_size=700)
    rows = read(open_library(path))
    assert [row.cells[1] for row in rows] == list(range(5000))
    assert [row.text for row in rows] == content["smiles"].to_pylist()


def test_parquet_is_not_held_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rng = random.Random(0)
    content = pa.table({"smiles": [rng.randbytes(200).hex() for _ in range(20_000)]})
    pq.write_table(content, path, row_group_size=1000)
    size = content.nbytes
    del content
    before, most = pa.total_allocated_bytes(), 0
    for _ in open_library(path).rows():
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < size / 2


def test_parquet_that_is_damaged(tmp_path: Path) -> None:
    path = table(tmp_path, smiles=SMILES, n=list(range(len(SMILES))))
    whole = path.read_bytes()
    for size in (0, 3, 4, 100, len(whole) // 2, len(whole) - 1):
        refused(tmp_path, "b.parquet", whole[:size], "no whole Parquet file", "get it again")
    for content in (b"smiles\nC\n", gzip.compress(whole), b"PAR1" + bytes(50) + b"PAR1"):
        refused(tmp_path, "b.parquet.gz", content, "no whole Parquet file")


def test_parquet_with_flipped_bytes_is_told_or_read(tmp_path: Path) -> None:
    """Parquet needs no checksum, so that a letter may be another; but nothing else is raised."""
    content = bytearray(table(tmp_path, smiles=SMILES, n=list(range(len(SMILES)))).read_bytes())
    for place in range(0, len(content), 1 + len(content) // 300):
        content[place] ^= 0x55
        try:
            rows = list(opened(tmp_path, "b.parquet", bytes(content)).rows())
            assert all(isinstance(row.text, str) for row in rows)
        except DataError as error:
            assert "\n" not in str(error)
        content[place] ^= 0x55


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, smiles=["C"])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"pip install \"molmeta\[parquet\]\""):
        open_library(path)
