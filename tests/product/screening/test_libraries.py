"""Libraries as files: packed, damaged, missing; in one line that says why not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Generator
from pathlib import Path

import pytest
from library_files import CONTENTS, PACK, SMILES, opened, read, refused, zipped
from rdkit import Chem

from molmeta import text_files
from molmeta.errors import DataError
from molmeta.featurizers.standardisation import Standardiser
from molmeta.screening.libraries.base import find_column
from molmeta.screening.libraries.formats import open_library


@pytest.mark.parametrize("packing", ["", *PACK])
@pytest.mark.parametrize("ending", CONTENTS)
def test_every_format_plain_and_compressed(ending: str, packing: str, tmp_path: Path) -> None:
    content = PACK.get(packing, bytes)(CONTENTS[ending].encode())
    plain = opened(tmp_path, f"plain{ending}", CONTENTS[ending])
    rows = read(plain)
    assert len(rows) == len(SMILES)
    for name in (f"a{ending}{packing}", f"A{ending}{packing}".upper(), f"by content{ending}"):
        library = opened(tmp_path, name, content)
        assert (library.header, library.kind, library.schema()) == (plain.header, plain.kind, None)
        assert read(library) == rows
    if plain.kind == "smiles":
        assert [row.text for row in rows] == SMILES
    else:
        found = [Chem.MolFromMolBlock(row.text) for row in rows]
        assert [Chem.MolToSmiles(mol) for mol in found[:2]] == ["CCO", "CNC(=O)c1ccccc1"]


@pytest.mark.parametrize("ending", CONTENTS)
def test_a_plain_file_that_is_named_as_compressed(ending: str, tmp_path: Path) -> None:
    library = opened(tmp_path, f"a{ending}.gz", CONTENTS[ending])
    assert len(read(library)) == len(SMILES)


@pytest.mark.parametrize("ending", CONTENTS)
def test_rows_can_be_left_before_the_end(ending: str, tmp_path: Path) -> None:
    library = opened(tmp_path, f"a{ending}.gz", gzip.compress(CONTENTS[ending].encode()))
    rows, again = library.rows(), library.rows()
    assert isinstance(rows, Generator)
    first, other = next(rows), next(again)
    assert first == other
    rows.close()
    assert len(list(again)) == len(SMILES) - 1


@pytest.mark.parametrize("ending", [*CONTENTS, ".parquet", ".sd", ".smiles"])
def test_a_missing_file(ending: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        open_library(tmp_path / f"none{ending}")
    (tmp_path / f"folder{ending}").mkdir()
    with pytest.raises(DataError, match="there is no file"):
        open_library(tmp_path / f"folder{ending}")


@pytest.mark.parametrize("name", ["a.txt", "a.zip", "a.xls.gz", "a", "a.gz", ".csv"])
def test_an_unknown_ending(name: str, tmp_path: Path) -> None:
    refused(tmp_path, name, "smiles\nC\n", f"ends in '{Path(name).suffix}'", ".csv", ".sdf", ".gz")


@pytest.mark.parametrize("name", ["a.b.csv", "library.CSV", "a.csv.gz.xz", "a.v2.csv.GZ"])
def test_only_the_last_ending_that_is_no_compression_counts(name: str, tmp_path: Path) -> None:
    assert [row.text for row in read(opened(tmp_path, name, "smiles\nC\n"))] == ["C"]


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "a.csv"
    path.write_text("smiles\nC\n")
    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(DataError, match=r"a\.csv cannot be read \(Permission denied\)"):
        open_library(path)


def test_a_column_that_the_output_adds_is_refused(tmp_path: Path) -> None:
    library = opened(tmp_path, "a.csv", "smiles,status\nC,x\n")
    library.refuse_columns(["score"])
    with pytest.raises(DataError, match=r"'status'.*rename"):
        library.refuse_columns(["score", "status"])


# Compression


@pytest.mark.parametrize("packing", PACK)
def test_a_truncated_file_is_refused_wherever_it_ends(packing: str, tmp_path: Path) -> None:
    content = PACK[packing](CONTENTS[".csv"].encode())
    for size in [*range(8, len(content), 7), len(content) - 1]:
        refused(tmp_path, f"a.csv{packing}", content[:size], "truncated or damaged", "get it again")


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("ending", CONTENTS)
def test_a_flipped_byte_is_told_or_harmless(ending: str, packing: str, tmp_path: Path) -> None:
    """Of two streams behind each other, any byte but those that say nothing of the content."""
    half = CONTENTS[ending].encode()
    content = bytearray(PACK[packing](half) + PACK[packing](half))
    whole = [row.text for row in opened(tmp_path, f"a{ending}", bytes(content)).rows()]
    told = 0
    for place in range(0, len(content), 1 + len(content) // 150):
        content[place] ^= 0x55
        try:
            rows = list(opened(tmp_path, f"a{ending}{packing}", bytes(content)).rows())
            assert [row.text for row in rows] == whole
        except DataError as error:
            assert any(word in str(error) for word in ("again", "damaged", "UTF-16", "no column"))
            told += 1
        content[place] ^= 0x55
    assert told > 100


@pytest.mark.parametrize("ending", CONTENTS)
def test_one_file_in_a_zip_is_read_and_its_damage_told(ending: str, tmp_path: Path) -> None:
    content = zipped({f"a{ending}": CONTENTS[ending]})
    whole = read(opened(tmp_path, f"a{ending}", CONTENTS[ending]))
    assert read(opened(tmp_path, f"a{ending}.zip", content)) == whole
    for size in [*range(8, len(content), 31), len(content) - 1]:
        refused(tmp_path, f"a{ending}.zip", content[:size], "truncated or damaged")
    for place in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[place] ^= 0x55
        try:
            assert read(opened(tmp_path, f"b{ending}.zip", bytes(flipped))) == whole
        except DataError:
            pass
    refused(tmp_path, f"a{ending}.zip", zipped({"a": "x", "b": "y"}), "2 files in it")


@pytest.mark.parametrize("packing", PACK)
def test_streams_behind_each_other_are_one_file(packing: str, tmp_path: Path) -> None:
    parts = ["smiles\nCC", "O\nCCN\n", "", "CCC\n"]
    content = b"".join(PACK[packing](part.encode()) for part in parts) + bytes(12)
    found = read(opened(tmp_path, f"a.csv{packing}", content))
    assert [row.text for row in found] == ["CCO", "CCN", "CCC"]


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("behind", [b"x", b"smiles\nCCO\n", b"BZ", bytes(5) + b"\x1f\x8b\x08"])
def test_what_stands_behind_a_stream_is_not_passed_over(
    behind: bytes, packing: str, tmp_path: Path
) -> None:
    content = PACK[packing](CONTENTS[".csv"].encode()) + behind
    refused(tmp_path, f"a.csv{packing}", content, "truncated or damaged", "get it again")


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("ending", CONTENTS)
def test_a_bomb_is_refused(
    ending: str, packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "LARGEST", 1 << 16)
    bomb = PACK[packing](f"smiles\n{'C' * 1_000_000}\n".encode())
    assert len(bomb) * text_files.RATIO < 1_000_000
    refused(tmp_path, f"a{ending}", bomb, "unpacks to more than", "200 times", "unpack it first")


def test_what_unpacks_to_less_than_the_cap_is_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"smiles\n" + b"C\n" * 100_000
    packed = bz2.compress(content)
    monkeypatch.setattr(text_files, "LARGEST", len(content))
    assert len(packed) * text_files.RATIO < len(content)
    assert sum(1 for _ in opened(tmp_path, "a.csv", packed).rows()) == 100_000
    monkeypatch.setattr(text_files, "LARGEST", 1)  # nor is one that is large itself
    monkeypatch.setattr(text_files, "RATIO", 1 + len(content) // len(packed))
    assert sum(1 for _ in opened(tmp_path, "a.csv", packed).rows()) == 100_000


def test_xz_that_needs_too_much_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": text_files.MEMORY * 2}]
    content = lzma.compress(b"smiles\nC\n", filters=filters)
    refused(tmp_path, "a.csv.xz", content, "Memory usage limit")
    best = lzma.compress(b"smiles\nC\n", preset=9 | lzma.PRESET_EXTREME)
    assert len(read(opened(tmp_path, "b.csv.xz", best))) == 1


ZSTD = bytes.fromhex("28b52ffd0458490000736d696c65730a430a")
OTHERS = {
    "zstd": (ZSTD, ("zstd", "unpack it first")),
    "UTF-16": ("smiles\nC\n".encode("utf-16"), ("UTF-16", "CSV UTF-8")),
    "UTF-16, big end first": (b"\xfe\xff" + "smiles\nC\n".encode("utf-16-be"), ("UTF-16",)),
    "UTF-16 without a mark": ("smiles\nC\n".encode("utf-16-le"), ("UTF-16",)),
    "twice": (lzma.compress(b"smiles\nC\n"), ("compressed twice", "unpack it once")),
}


@pytest.mark.parametrize("ending", CONTENTS)
@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_read_is_named(kind: str, ending: str, tmp_path: Path) -> None:
    content, said = OTHERS[kind]
    if kind != "twice":
        refused(tmp_path, f"a{ending}", content, *said)
    for packing, pack in PACK.items():
        refused(tmp_path, f"a{ending}{packing}", pack(content), *said)


@pytest.mark.parametrize("ending", CONTENTS)
def test_what_is_neither_compressed_nor_text_is_damaged(ending: str, tmp_path: Path) -> None:
    content = b"\x1e" + gzip.compress(CONTENTS[ending].encode())[1:]
    refused(tmp_path, f"a{ending}.gz", content, "damaged")


@pytest.mark.parametrize("ending", CONTENTS)
def test_a_tar_archive_is_named(ending: str, tmp_path: Path) -> None:
    (tmp_path / f"in{ending}").write_text(CONTENTS[ending])
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / f"in{ending}")
    content = (tmp_path / "a.tar").read_bytes()
    refused(tmp_path, f"a{ending}", content, "tar archive", "unpack it")
    refused(tmp_path, f"a{ending}.gz", gzip.compress(content), "tar archive", "unpack it")


@pytest.mark.parametrize("place", range(4))
def test_a_zero_makes_no_utf16_of_a_file(place: int, tmp_path: Path) -> None:
    content = bytearray(b"CC a\nCCO b\n")
    content[place] = 0
    rows = read(opened(tmp_path, "a.smi", bytes(content)))
    assert [row.text for row in rows][1:] == ["CCO"]
    marked = Standardiser()(rows[0].text).status
    assert marked == ("ok" if place == 3 else "invalid")


def test_a_header_of_very_many_columns_is_looked_at_once(
    tmp_path: Path,
) -> None:
    asked = 0

    class Name(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal asked
            asked += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    header = [Name(f"c{n}") for n in range(5000)] + [Name("smiles")]
    assert find_column(tmp_path, header, "smiles") == 5000
    assert asked < 10 * len(header)
    with pytest.raises(DataError, match="no column 'smile'; did you mean 'smiles'") as caught:
        find_column(tmp_path, header, "smile")
    assert len(str(caught.value)) < 2000
    with pytest.raises(DataError, match="two columns 'c7'"):
        find_column(tmp_path, [*header, "c7"], "smiles")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["smiles", "SMILES", "Canonical SMILES", "ligand_smiles"])
def test_csv_is_read_with_any_separator_and_usual_name(tmp_path, separator, name):
    path = tmp_path / "library.csv"
    lines = [["id", name], ["1", "CCO"], ["2", "CC,N"], ["3", "c1ccccc1"]]
    cells = [[f'"{cell}"' if "," in cell else cell for cell in line] for line in lines]
    path.write_text("\n".join(separator.join(line) for line in cells) + "\n")
    library = open_library(path)
    assert list(library.header) == lines[0]
    assert [row.text for row in library.rows()] == ["CCO", "CC,N", "c1ccccc1"]


def test_a_table_of_tabs_is_a_library(tmp_path):
    path = tmp_path / "library.tsv"
    path.write_text("name\tSmiles\na\tCCO\n")
    assert [row.text for row in open_library(path).rows()] == ["CCO"]
