"""Training tables that nobody means well with: damaged, of other kinds, bombs, odd headers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from product_commands import adapt_command, python, screen_command

from molmeta import MolmetaError, read_table
from molmeta.cli.main import main
from molmeta.datasets import csv_tables, read_molecules
from molmeta.errors import DataError

GOOD = "smiles,activity\n" + "".join(f"{'C' * i}O,{i % 2}\n" for i in range(1, 40))


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", content)
    return file.getvalue()


def tarred(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        about = tarfile.TarInfo("a.csv")
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    return file.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": zipped,
    ".tar": tarred,
    ".zst": lambda content: b"\x28\xb5\x2f\xfd" + content,
}


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip"])
def test_what_is_packed_is_read(ending: str, tmp_path: Path) -> None:
    for name in (f"a.csv{ending}", "a.csv"):
        (tmp_path / name).write_bytes(PACK[ending](GOOD.encode()))
        assert len(read_table(tmp_path / name).assays["activity"]) == 39


@pytest.mark.parametrize("ending", [".tar", ".zst"])
def test_what_is_not_read_is_named(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.csv{ending}"
    path.write_bytes(PACK[ending](GOOD.encode()))
    with pytest.raises(MolmetaError, match="unpack it"):
        read_table(path)


def test_a_zip_of_several_files_is_refused_and_what_a_mac_adds_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zip"
    for name, works in (("__MACOSX/._a.csv", True), ("b.csv", False)):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/a.csv", GOOD)
            archive.writestr(name, "notes")
        if works:
            assert len(read_table(path).assays["activity"]) == 39
        else:
            with pytest.raises(MolmetaError, match="2 files in it"):
                read_table(path)


def test_a_zip_that_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.csv", GOOD)
    with pytest.raises(MolmetaError, match="zipped in a rare way"):
        read_table(path)
    encrypted = bytearray(zipped(GOOD.encode()))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(encrypted)
    with pytest.raises(MolmetaError, match="is encrypted"):
        read_table(path)


def damaged(content: bytes) -> list[bytes]:
    """Truncated, with flipped bytes, and something else altogether."""
    rng = random.Random(0)
    flipped = [bytearray(content) for _ in range(6)]
    for one in flipped:
        one[rng.randrange(len(one))] ^= 0x55
    cut = [content[: rng.randrange(len(content))] for _ in range(4)]
    return [*cut, *map(bytes, flipped), rng.randbytes(300), bytes(600), b"", b"\n"]


@pytest.mark.parametrize("ending", PACK)
def test_damage_is_one_line_for_every_command(
    ending: str, model: Path, assay: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / f"a.csv{ending}", tmp_path / "out.csv"
    commands = [
        screen_command(data, model, assay, out, "--overwrite"),
        adapt_command(data, model, tmp_path / "a.safetensors", "--overwrite"),
        ["data", "check", str(data)],
    ]
    told = 0
    for content in damaged(PACK[ending](GOOD.encode())):
        data.write_bytes(content)
        for command in commands:
            capsys.readouterr()
            if main(command) != 0:
                lines = capsys.readouterr().err.strip().splitlines()
                assert len(lines) == 1, lines
                assert lines[0].startswith("molmeta: error: ")
                told += 1
    assert told >= 30


@pytest.mark.parametrize("ending", PACK)
def test_damage_is_told_where_molecules_alone_are_read(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.csv{ending}"
    for content in damaged(PACK[ending](GOOD.encode())):
        path.write_bytes(content)
        try:
            assert read_molecules(str(path)) <= {f"{'C' * i}O" for i in range(1, 60)}
        except DataError:
            pass


WATCHED = """
import resource, sys
import pandas.core.arrays.string_arrow
from molmeta import MolmetaError, read_table
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30), taken + (1 << 30)))
try:
    read_table(sys.argv[1])
except MolmetaError as error:
    print(error)
"""
BOMBS = {
    "a cell": b"smiles,y\nC,1\n" + b"C" * (1 << 28),
    "a row": b"smiles,y\nC" + b"," * (1 << 28),
    "a header": b"smiles" + b"," * (1 << 23) + b"\nC\n",
    "a header in quotes": b'"a\n"' + b"," * (1 << 23) + b"\nC\n",
    "rows": b"smiles,y\n" + b"C,1\n" * (1 << 26),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_takes_little_memory(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(BOMBS[kind], 6))
    done = python("-c", WATCHED, str(path))
    assert done.returncode == 0, done.stderr
    assert any(word in done.stdout for word in ("20 times its size", "line of more", "columns"))


@pytest.mark.parametrize("rows", ["CCO,1,\nCC,2,\n", "x,CCO,1\nx,CC,2\n", "x,y,CCO,1\n"])
def test_rows_that_are_wider_than_the_header_are_refused(rows: str, tmp_path: Path) -> None:
    """Their first cells would be taken for names of rows, and every other for its neighbour."""
    path = tmp_path / "a.csv"
    path.write_text("smiles,y\n" + rows)
    with pytest.raises(MolmetaError, match="more cells in its rows than in its header"):
        read_table(path, target_columns=["y"])
    with pytest.raises(MolmetaError, match="more cells in its rows than in its header"):
        read_molecules(str(path))


def test_names_of_rows_as_r_writes_them_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"smiles","y"\n"1","CCO",1\n"2","CC",\n"3","CCC",3\n')
    assay = read_table(path, target_columns=["y"]).assays["y"]
    assert list(assay.molecules.smiles) == ["CCO", "CCC"] and list(assay.values) == [1, 3]
    assert read_molecules(str(path)) == {"CCO", "CC", "CCC"}


def test_a_table_may_have_very_many_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"smiles,{','.join(f'c{n}' for n in range(999))}\nC{',1' * 999}\n")
    assert csv_tables.read_csv(path).shape == (1, 1000)
    monkeypatch.setattr(csv_tables, "WIDEST", 999)
    with pytest.raises(DataError, match="1,000 columns; more than 999 are not read"):
        csv_tables.read_csv(path)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_in_a_table_is_read_or_told(seed: int, tmp_path: Path) -> None:
    rng, path = random.Random(seed), tmp_path / "a.csv"
    pieces = [b"C", b"O", b",", b",", b"1", b"\n", b"\n", b"\r\n", b"\r", b'"', b"\0", b";", b"\t"]
    pieces += [
        b"\xef\xbb\xbf",
        b"\xff",
        "é".encode(),
        b"  ",
        b"smiles",
        b"y",
        b">",
        b"nan",
        b"1e999",
    ]
    for _ in range(30):
        start = rng.choice([b"smiles,y\n", b"smiles,y\nC,1\n", b"\xef\xbb\xbfsmiles,y\r\n", b""])
        path.write_bytes(start + b"".join(rng.choices(pieces, k=rng.randrange(60))))
        try:
            report = read_table(path).report
            found = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="replace")
            assert report.rows - len(found) in (0, 1)  # the first line may be no header
        except MolmetaError:
            pass
