"""Libraries with bytes flipped, cut and put in at random: read and written row by row, or told."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from library_files import CONTENTS, SMILES, opened, read, table

from molmeta.errors import DataError
from molmeta.screening.libraries.base import Library, Row
from molmeta.screening.libraries.formats import open_library
from molmeta.screening.output import open_sink
from molmeta.workbench.verbs import suggest_from

PIECES = [b"\0", b"\r", b"\n", b"\r\n", b'"', b'""', b",", b";", b"\t", b"\xef\xbb\xbf", b"\xff"]
PIECES += [b"$$$$\n", b"$$$$", b"> <a>\n", b"> <title>\n", b"M  END\n", b" ", b"smiles", b"\x1a"]
PIECES += ["\x85".encode(), "\u2028".encode(), b"\x0b", b"x" * 3000, b",,,,,,", b"\n\n\n"]
COUNT = len(SMILES)
COLUMNS = {
    "smiles": SMILES,
    "time": pa.array(range(COUNT), pa.timestamp("ms", "Europe/Berlin")),
    "day": pa.array(range(COUNT), pa.date32()),
    "list": [["a", "b"]] * COUNT,
    "struct": [{"x": 1, "y": "a"}] * COUNT,
    "map": pa.array([[("a", 1)]] * COUNT, pa.map_(pa.string(), pa.int32())),
    "kind": pa.array(["a", "b"] * (COUNT // 2)).dictionary_encode(),
    "wide": pa.array([b"1234"] * COUNT, pa.binary(4)),
    "large": pa.array(SMILES, pa.large_string()),
}


def changed(content: bytes, rng: random.Random) -> bytes:
    """With up to four changes of any kind."""
    out = bytearray(content)
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(out) or 1)
        kind = rng.randrange(8)
        if kind < 3 and out:
            out[place] ^= 1 << rng.randrange(8)
        elif kind < 6:
            out[place:place] = rng.choice(PIECES)
        elif kind == 6:
            del out[place : place + rng.randrange(40)]
        else:
            del out[-rng.randrange(1, 40) :]
    return bytes(out)


def flipped(content: bytes, rng: random.Random) -> bytes:
    """With up to four bytes that are others, most of them where the file says what is in it."""
    out = bytearray(content)
    for _ in range(rng.randrange(1, 5)):
        first = rng.choice([0, len(out) - 2000])
        out[rng.randrange(max(0, first), len(out))] = rng.randrange(256)
    return bytes(out)


def written(library: Library, rows: Sequence[Row], path: Path) -> Path:
    """The rows with a score each, as a screen writes them."""
    sink = open_sink(path, path, library, ["score", "status", "reason"], neutralise=False)
    if rows:
        sink.write([[*row.cells, "0.5", "ok", ""] for row in rows])
    sink.close()
    return path


def comes_out_as_it_went_in(library: Library, folder: Path) -> None:
    rows = read(library)
    text = written(library, rows, folder / "out.csv").read_bytes().decode(errors="surrogateescape")
    found = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert len(found) == len(rows)
    if library.schema() is None:
        assert [cells[:-3] for cells in found] == [list(row.cells) for row in rows]
    assert pq.read_table(written(library, rows, folder / "out.parquet")).num_rows == len(rows)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ending", CONTENTS)
def test_a_text_with_random_damage(ending: str, seed: int, tmp_path: Path) -> None:
    rng, readable = random.Random(seed), 0
    for _ in range(40):
        content = changed(CONTENTS[ending].encode(), rng)
        try:
            library = opened(tmp_path, f"a{ending}", content)
            comes_out_as_it_went_in(library, tmp_path)
            readable += 1
        except DataError:
            pass
    assert readable > 20


@pytest.mark.parametrize("seed", range(5))
def test_parquet_with_random_damage(seed: int, tmp_path: Path) -> None:
    rng, names, told = random.Random(seed), list(COLUMNS)[1:], 0
    for _ in range(40):
        chosen = ["smiles", *rng.sample(names, 4)]
        whole = table(tmp_path, "whole.parquet", **{name: COLUMNS[name] for name in chosen})
        try:
            library = opened(tmp_path, "a.parquet", flipped(whole.read_bytes(), rng))
            rows = list(library.rows())
            written(library, rows, tmp_path / "out.csv")
            out = written(library, rows, tmp_path / "out.parquet")
            assert pq.read_metadata(out).num_rows == len(rows)
        except DataError:
            told += 1
    assert told > 5


def test_names_of_columns_that_are_no_utf8_go_to_parquet(tmp_path: Path) -> None:
    library = opened(tmp_path, "a.csv", b"smiles,n\xe4me\nC,\xb5M\n")
    out = pq.read_table(written(library, read(library), tmp_path / "out.parquet"))
    assert out.column_names[:2] == ["smiles", "n\ufffdme"]
    assert out[1].to_pylist() == ["\ufffdM"]


def test_a_parquet_column_whose_name_is_damaged_is_told(tmp_path: Path) -> None:
    whole = table(tmp_path, smiles=["C"], list=[["a"]]).read_bytes()
    for name in (b"element", b"list"):
        content = whole.replace(name, name[:-1] + b"?", 1)
        with pytest.raises(DataError, match="no whole Parquet file"):
            list(opened(tmp_path, "b.parquet", content).rows())


def test_a_decimal_of_too_many_digits_is_none(tmp_path: Path) -> None:
    buffer = pa.py_buffer(b"".join(n.to_bytes(16, "little") for n in (150, 8_000_000)))
    numbers = pa.Array.from_buffers(pa.decimal128(5, 2), 2, [None, buffer])
    library = open_library(table(tmp_path, smiles=["C", "CC"], x=numbers))
    rows = read(library)
    assert [row.cells[1] for row in rows] == [Decimal("1.50"), None]
    assert pq.read_table(written(library, rows, tmp_path / "out.parquet")).num_rows == 2


def test_a_library_that_is_no_utf8_is_suggested_from(tmp_path: Path) -> None:
    rows = "".join(f"{'C' * n}O,{n / 3}\n" for n in range(1, 17))
    (tmp_path / "data.csv").write_text(f"smiles,y\n{rows}")
    (tmp_path / "a.csv").write_bytes(b"smiles,n\xe4me\n" + b"CCN,\xb5M\nCCCN,b\n")
    found = suggest_from(
        tmp_path / "data.csv", tmp_path / "a.csv", 2, model_path="nearest_neighbours", device="cpu"
    )
    assert found["n\ufffdme"].tolist() in (["\ufffdM", "b"], ["b", "\ufffdM"])
