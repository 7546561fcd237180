"""Parquet that nobody means well with: one bad cell, texts that repeat for ever, long lists."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from library_files import read, table
from product_commands import python, screen_command

from molmeta.cli.main import main
from molmeta.errors import DataError
from molmeta.screening.libraries import parquet, parquet_sizes
from molmeta.screening.libraries.formats import open_library
from molmeta.screening.libraries.parquet_footer import chunks_of
from molmeta.screening.libraries.thrift import read_struct

FAR = 1 << 62


def texts(*values: bytes) -> pa.Array:
    """An array of texts, of which nobody asks whether they are UTF-8."""
    kept = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(values), kept.buffers())


def far(kind: pa.DataType) -> pa.Array:
    """Today, far away, and nothing."""
    least = 10**8 if kind.bit_width == 32 else FAR
    return pa.array([1, least, None], pa.int32() if kind.bit_width == 32 else pa.int64()).cast(kind)


BAD_CELLS: dict[str, pa.Array] = {
    "no UTF-8": texts(b"a", b"C\xff", b"b"),
    "no UTF-8 in a dictionary": texts(b"a", b"C\xff", b"b").dictionary_encode(),
    "no UTF-8 in a list": pa.ListArray.from_arrays([0, 1, 2, 3], texts(b"a", b"C\xff", b"b")),
    "no UTF-8 in a struct": pa.StructArray.from_arrays([texts(b"a", b"C\xff", b"b")], ["x"]),
    "a day": far(pa.date32()),
    "milliseconds": far(pa.timestamp("ms")),
    "microseconds": far(pa.timestamp("us")),
    "microseconds somewhere": far(pa.timestamp("us", "Europe/Berlin")),
    "an unknown zone": pa.array([1, 2, None], pa.timestamp("us", "Nowhere/Atlantis")),
    "a duration": far(pa.duration("ms")),
    "days in a list": pa.ListArray.from_arrays([0, 1, 2, 3], far(pa.date32())),
}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("kind", BAD_CELLS)
def test_a_bad_cell_ends_no_screen(
    kind: str, ending: str, model: Path, assay: Path, tmp_path: Path
) -> None:
    library = table(tmp_path, smiles=["CCO", "CCC", "CCN"], x=BAD_CELLS[kind])
    out = tmp_path / f"out{ending}"
    assert main(screen_command(library, model, assay, out)) == 0
    rows = pq.read_table(out) if ending == ".parquet" else None
    if rows is None:
        found = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
        assert [row["status"] for row in found] == ["ok"] * 3
        assert all(row["score"] for row in found)
        assert found[1]["x"] != ""
    else:
        assert rows["status"].to_pylist() == ["ok"] * 3
        assert rows["score"].null_count == 0
        assert rows["x"].type == pq.read_table(library)["x"].type
        if "UTF-8" not in kind:
            assert rows["x"].equals(pq.read_table(library)["x"])


def test_a_smiles_that_is_no_utf8_is_a_row_with_a_reason(
    model: Path, assay: Path, tmp_path: Path
) -> None:
    library, out = table(tmp_path, smiles=texts(b"CCO", b"C\xff", b"CCN")), tmp_path / "out.csv"
    assert main(screen_command(library, model, assay, out)) == 0
    found = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["status"] for row in found] == ["ok", "invalid", "ok"]
    assert "ufffd" in found[1]["reason"]


def test_cells_are_what_pyarrow_says_they_are(tmp_path: Path) -> None:
    pairs = pa.map_(pa.string(), pa.int8())
    columns = {
        "smiles": pa.array(["C", "CC", None, "CC", ""]),
        "list": pa.array([["a", None], [], None, ["a"], ["b"]]),
        "fixed": pa.array([[1, 2], None, [3, None], [5, 6], [7, 8]], pa.list_(pa.int8(), 2)),
        "struct": pa.array([{"x": "a", "y": [1]}, None, {"x": None, "y": None}, {}, {"y": []}]),
        "map": pa.array([[("a", 1)], [], None, [("b", None), ("c", 3)], []], pairs),
        "bytes": pa.array([b"a", b"\xff", None, b"", b"a"]),
        "lists": pa.array([[["a"], None], [[]], None, [], [["b", None], ["c"]]]),
    }
    path = table(tmp_path, **columns)
    cells = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    assert [tuple(row.cells) for row in read(open_library(path))] == list(cells)


def test_texts_that_repeat_are_held_once(tmp_path: Path) -> None:
    long = ["C" * 200_000, None, "N" * 100_000, ""] * 150
    nested = [[text, text] for text in long]
    path = table(tmp_path, smiles=long, list=nested, short=["a", "b", None, "c"] * 150)
    assert path.stat().st_size < 200_000
    library = open_library(path)
    held = list(library.rows())[:300]
    assert [row.text for row in held] == [text or "" for text in long[:300]]
    assert len({id(row.text) for row in held if len(row.text) > 1}) < 10
    assert [list(row.cells[1]) for row in held] == nested[:300]


def bomb_of_texts(path: Path) -> None:
    word = pa.array(["C" * (1 << 21)])
    many = pa.DictionaryArray.from_arrays(pa.array([0] * 500, pa.int32()), word)
    pq.write_table(pa.table({"smiles": many}), path, compression="zstd")


def bomb_of_plain_texts(path: Path) -> None:
    content = pa.table({"smiles": ["C" * (1 << 21)] * 200})
    pq.write_table(content, path, compression="zstd", use_dictionary=False)


def bomb_behind_nothing(path: Path) -> None:
    content = pa.table({"smiles": [None] * 1500 + ["C" * (1 << 21)] * 500})
    pq.write_table(content, path, compression="zstd", row_group_size=4000)


def bomb_of_a_list(path: Path) -> None:
    long = pa.ListArray.from_arrays([0, 1 << 25], pa.nulls(1 << 25, pa.int8()))
    pq.write_table(pa.table({"smiles": ["C"], "list": long}), path, compression="zstd")


def bomb_of_texts_in_a_list(path: Path) -> None:
    word = pa.array(["C" * (1 << 20)] * 1000)
    long = pa.ListArray.from_arrays([0, 1000], word)
    pq.write_table(pa.table({"smiles": ["C"], "list": long}), path, compression="zstd")


def bomb_of_rows(path: Path) -> None:
    nothing = pa.nulls(1 << 20, pa.string())
    content = pa.table({"smiles": nothing, **{f"x{n}": nothing for n in range(99)}})
    pq.write_table(content, path, compression="zstd")


BOMBS = [
    bomb_of_texts,
    bomb_of_plain_texts,
    bomb_behind_nothing,
    bomb_of_a_list,
    bomb_of_texts_in_a_list,
    bomb_of_rows,
]
WATCHED = """
import resource, sys
from collections import deque
from molmeta.errors import DataError
from molmeta.screening.libraries import open_library
import pyarrow.parquet
library_file, more = sys.argv[1], int(sys.argv[2])
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + more, taken + more))
try:
    kept = deque(open_library(library_file).rows(), maxlen=500)
    print("rows")
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("make", BOMBS, ids=lambda make: make.__name__)
def test_a_bomb_takes_little_memory(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    make(path)
    assert path.stat().st_size < 1 << 20
    done = python("-c", WATCHED, str(path), str(600 << 20))
    assert done.returncode == 0, done.stderr
    assert "over 200 times its size" in done.stdout


def test_a_row_that_is_too_long_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "LONGEST", 100_000)
    long = "C" * 99_000
    path = table(tmp_path, smiles=["C", long, long, "CC"], note=["a", "b", long, "c"])
    rows = read(open_library(path))
    assert [row.status for row in rows] == ["ok", "ok", "too large", "ok"]
    assert [row.text for row in rows] == ["C", long, "", "CC"]
    assert rows[2].cells == [long[:100], long[:100]]


def test_what_the_end_of_a_file_says_is_what_pyarrow_says(tmp_path: Path) -> None:
    columns = {
        "smiles": [f"C{n}" for n in range(3000)],
        "list": [["a"] * (n % 3) for n in range(3000)],
        "wide": pa.array([b"12345678"] * 3000, pa.binary(8)),
        "many": [{f"x{k}": n for k in range(20)} for n in range(3000)],
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=1000)
    found, wanted = chunks_of(path), pq.ParquetFile(path).metadata
    assert len(found) == wanted.num_row_groups * wanted.num_columns == 3 * 23
    for place, chunk in enumerate(found):
        group = wanted.row_group(place // wanted.num_columns)
        column = group.column(place % wanted.num_columns)
        assert ".".join(chunk.path) == column.path_in_schema
        assert (chunk.rows, chunk.values) == (group.num_rows, column.num_values)
        assert chunk.unpacked == column.total_uncompressed_size
        assert chunk.packed == column.total_compressed_size
        assert chunk.start == column.dictionary_page_offset or column.data_page_offset
    assert [chunk.width for chunk in found[:4]] == [0, 0, 8, 0]


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_the_longest_text_of_a_dictionary_is_found(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    words = ["C" * (n % 400) for n in range(2000)] + ["N" * 70_000]
    pq.write_table(pa.table({"smiles": words, "y": words[::-1]}), path, compression=codec)
    chunks = chunks_of(path)
    with path.open("rb") as file:
        assert {parquet_sizes.longest_word(file, chunk) for chunk in chunks} == {70_000}
    assert parquet_sizes.shared_columns(path, chunks) == ["smiles", "y"]
    pq.write_table(pa.table({"smiles": words[:2000]}), path, compression=codec)
    assert parquet_sizes.shared_columns(path, chunks_of(path)) == []


def test_fewer_rows_at_once_where_these_are_wide(tmp_path: Path) -> None:
    wide = pa.array([bytes(1 << 20)] * 4, pa.binary(1 << 20))
    path = table(tmp_path, smiles=["C"] * 4, wide=wide)
    assert parquet_sizes.rows_at_once(chunks_of(path)) == 256
    assert [len(row.cells[1]) for row in read(open_library(path))] == [1 << 20] * 4
    many = table(tmp_path, "b.parquet", smiles=["C"], **{f"x{n}": [n] for n in range(8191)})
    assert parquet_sizes.rows_at_once(chunks_of(many)) == 512


def test_structs_that_never_end_are_refused() -> None:
    assert read_struct(b"\x15\x02\x25\x03\x00") == ({1: 1, 3: -2}, 5)
    for content in (b"\x1c" * 5000, b"\x19\x9c" * 5000):
        with pytest.raises(ValueError, match="too deep"):
            read_struct(content)
    for content in (b"", b"\x15", b"\x15\x80", b"\x19\xf5\xff\xff\xff\x07\x01"):
        with pytest.raises(IndexError):
            read_struct(content)
    for content in (b"\x15" + b"\x80" * 20, b"\x1f\x00"):
        with pytest.raises(ValueError, match=r"too long|no type"):
            read_struct(content)


def test_a_day_that_python_has_is_a_day(tmp_path: Path) -> None:
    path = table(tmp_path, smiles=["C", "CC", "CCC"], day=far(pa.date32()))
    days = [row.cells[1] for row in read(open_library(path))]
    assert days == [date(1970, 1, 2), 10**8, None]


def test_damage_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + bytes(100) + (50).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(DataError, match="get it again") as caught:
        open_library(path)
    assert "\n" not in str(caught.value)
