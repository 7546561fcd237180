"""Libraries by format: a row out for each row of the file, in order."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest
from library_files import block, opened, read, refused
from rdkit import Chem

from molmeta import text_files
from molmeta.screening.libraries import csv_library, sdf, smi
from molmeta.screening.libraries.formats import open_library


def test_csv_cells_are_kept_as_they_are(tmp_path: Path) -> None:
    rows = [
        ["1", "CCO", "plain"],
        ["2", "CCN", "a comma, and another,"],
        ["3", "CCC", 'some "quotes" and "'],
        ["4", "C", "two\nlines\r\n\r\nand more"],
        ["5", "CC", "  blanks\t "],
        ["6", "CCCl", "µ, naïve, 分子, \U0001f9ea"],
        ["7", "", "no molecule"],
        ["", "", ""],
        ["8", "CBr", "=1+1"],
        ["9", "CC", "a zero \0 and \x1a, \x85, \u2028"],
    ]
    for end in ("\n", "\r\n", "\r"):
        for encoding in ("utf-8", "utf-8-sig"):
            file = io.StringIO(newline="")
            csv.writer(file, lineterminator=end).writerows([["id", "smiles", "näme, x"], *rows])
            library = opened(tmp_path, "a.csv", file.getvalue().encode(encoding))
            assert library.header == ["id", "smiles", "näme, x"]
            found = read(library)
            assert [list(row.cells) for row in found] == rows
            assert [row.text for row in found] == [row[1] for row in rows]
            assert {row.status for row in found} == {"ok"}


def test_csv_bytes_that_are_no_utf8_come_out_as_they_were(tmp_path: Path) -> None:
    names = [b"10 \xb5M", b"\xff\xfe", b"\xe2\x82", b"\x80,"]
    content = b"smiles,n\xe4me\n" + b"".join(b'C\xff,"' + name + b'"\n' for name in names)
    library = opened(tmp_path, "a.csv", content)
    assert library.header[1].encode("utf-8", "surrogateescape") == b"n\xe4me"
    cells = [row.cells[1].encode("utf-8", "surrogateescape") for row in read(library)]
    assert cells == names


def test_csv_rows_of_any_width_keep_their_place(tmp_path: Path) -> None:
    content = "name,smiles,x\na,C,1\nb,CC\n\nc,CCC,3,4,5\n,,\nd,CCCC,5\n,\ne\n\n"
    rows = read(opened(tmp_path, "a.csv", content))
    assert [(row.cells[0], row.text, row.status) for row in rows] == [
        ("a", "C", "ok"),
        ("b", "", "malformed"),
        ("", "", "empty"),
        ("c", "", "malformed"),
        ("", "", "ok"),
        ("d", "CCCC", "ok"),
        ("", "", "malformed"),
        ("e", "", "malformed"),
        ("", "", "empty"),
    ]
    assert "2 cells, the header 3" in rows[1].reason
    assert "'4', '5'" in rows[3].reason


def of_python(text: str) -> list[list[str] | None] | None:
    """What Python's reader finds: None for one line that is wrongly quoted, or for all."""
    reader, found = csv.reader(io.StringIO(text, newline=""), strict=True), []
    while True:
        line = reader.line_num
        try:
            found.append(next(reader))
        except StopIteration:
            return found
        except csv.Error as error:
            if reader.line_num > line + 1 or "end of data" in str(error):
                return None
            found.append(None)


@pytest.mark.parametrize("seed", range(20))
def test_csv_has_a_row_for_each_record_whatever_is_in_it(seed: int, tmp_path: Path) -> None:
    """As many, in order, as Python's own reader finds in the whole text; or it says why not."""
    rng = random.Random(seed)
    alphabet = ["C", "O", ",", ",", "\n", "\n", "\r\n", " ", '"', '""', '"a\n,b"', "é", "\0", ";"]
    for _ in range(100):
        text = "smiles,name\n" + "".join(rng.choices(alphabet, k=rng.randrange(60)))
        wanted = of_python(text)
        if wanted is None:
            refused(tmp_path, "a.csv", text, "a.csv, line ", "quote")
            continue
        found = read(opened(tmp_path, "a.csv", text))
        for row, cells in zip(found, wanted[1:], strict=True):
            assert (row.status == "ok") == (cells is not None and len(cells) == 2)
            assert cells is None or row.cells == [*cells, "", ""][:2]


def test_csv_with_a_stray_quote_marks_that_line_alone(tmp_path: Path) -> None:
    rows = read(opened(tmp_path, "a.csv", 'smiles,name\nC,a\nCC,"b"c\nCCC,d\n'))
    assert [row.text for row in rows] == ["C", "", "CCC"]
    assert (rows[1].status, rows[1].cells) == ("malformed", ['CC,"b"c', ""])


def test_csv_with_a_quote_left_open_names_the_line_where_it_begins(tmp_path: Path) -> None:
    content = 'smiles,name\nC,"two\nlines"\nCC,b\nCCC,"open\n' + "CCO,d\n" * 50
    refused(tmp_path, "a.csv", content, "a.csv, line 5:", "is a quote left open?")
    rows = opened(tmp_path, "a.csv", content).rows()
    assert [next(rows).text, next(rows).text] == ["C", "CC"]


def test_csv_with_a_record_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_library, "LONGEST", 1000)
    refused(tmp_path, "a.csv", "smiles\nC\n" + "C" * 2000, "line 3", "1,000 characters")
    refused(tmp_path, "b.csv", 'smiles\nC\n"C' + "C\n" * 2000, "line 3", "quote left open")
    refused(tmp_path, "c.csv", "\1" * 2000, "line 1", "no table")
    assert len(read(opened(tmp_path, "d.csv", "smiles\n" + "C\n" * 2000))) == 2000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ("is empty", "header line")),
        ("\n", ("is empty", "header line")),
        ("\ufeff", ("is empty", "header line")),
        ("\nsmiles\nC\n", ("first line", "header line")),
        ("Smile,y\nC,1\n", ("no column 'smiles'", "did you mean 'Smile'?", "Smile, y")),
        ("a,b\nC,1\n", ("no column 'smiles'; there is: a, b",)),
        ("smiles,y,y\nC,1,2\n", ("two columns 'y'", "rename one")),
        ("smiles,smiles\nC,C\n", ("two columns 'smiles'",)),
    ],
)
def test_csv_without_a_good_header(content: str, said: tuple[str, ...], tmp_path: Path) -> None:
    refused(tmp_path, "a.csv", content, *said)


def test_csv_with_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    for content in ("smiles,y", "smiles,y\r\n"):
        assert read(opened(tmp_path, "a.csv", content)) == []


def test_csv_takes_the_column_that_is_named(tmp_path: Path) -> None:
    library = opened(tmp_path, "a.csv", "smiles,SMI\nC,CC\n", smiles_column="SMI")
    assert [row.text for row in read(library)] == ["CC"]


# SMI


def test_smi_lines(tmp_path: Path) -> None:
    content = "\ufeffCCO ethanol\nCC\t two words\t1 \r\n\nC\n   \n  CCN\u00a0µ\n\tCCC\nCCCC"
    library = opened(tmp_path, "a.smi", content)
    assert (library.header, library.kind) == (["smiles", "name"], "smiles")
    rows = read(library)
    assert [list(row.cells) for row in rows] == [
        ["CCO", "ethanol"],
        ["CC", "two words\t1"],
        ["", ""],
        ["C", ""],
        ["", ""],
        ["CCN", "µ"],
        ["CCC", ""],
        ["CCCC", ""],
    ]
    assert [row.status for row in rows if not row.text] == ["empty", "empty"]
    assert [row.text for row in rows] == [row.cells[0] for row in rows]


@pytest.mark.parametrize("header", ["smiles", "SMILES name", "Smiles\tID\tx", "\ufeffsmiles id"])
def test_smi_with_a_header(header: str, tmp_path: Path) -> None:
    rows = read(opened(tmp_path, "a.smi", f"{header}\nC a\nsmiles b\n"))
    assert [list(row.cells) for row in rows] == [["C", "a"], ["smiles", "b"]]


@pytest.mark.parametrize("content", ["", "smiles\n", "smiles"])
def test_smi_without_a_molecule(content: str, tmp_path: Path) -> None:
    assert read(opened(tmp_path, "a.smi", content)) == []


def test_smi_begins_with_a_blank_line(tmp_path: Path) -> None:
    assert [row.text for row in read(opened(tmp_path, "a.smi", "\nC\n"))] == ["", "C"]


def test_smi_with_names_that_are_no_utf8(tmp_path: Path) -> None:
    (row,) = read(opened(tmp_path, "a.smi", b"C \xb5\n"))
    assert row.cells[1].encode("utf-8", "surrogateescape") == b"\xb5"


def test_smi_line_without_end_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smi, "LONGEST", 1000)
    for size in (999, 1000, 1001, 1002, 2001, 2002, 2003, 5000):
        rows = read(opened(tmp_path, "a.smi", f"C a\n{'C' * size}\nCC b\n{'C' * size}"))
        assert [row.status for row in rows[::2]] == ["ok", "ok"]
        assert [row.text for row in rows[::2]] == ["C", "CC"]
        assert rows[1].status == ("ok" if size < 1000 else "too large")
        assert rows[3].status == ("ok" if size < 1001 else "too large")


# SDF


FIELDS = """> <id>
1

>  <note>  (1)
two
lines

$$$$
"""


def test_sdf_fields_of_any_record_are_columns(tmp_path: Path) -> None:
    content = (
        f"{block('CCO', 'ethanol')}{FIELDS}"
        f"{block('CC')}> 25 <IC50 nM>\n>50\n\n> <id>\n\n\n$$$$\n"
        f"{block('CCN', 'amine')}$$$$\n"
        f"{block('C', 'last')}> <note>\n$$$\n> <id>\n4\n"  # no blank line between, no end
    )
    library = opened(tmp_path, "a.sdf", content)
    assert (library.header, library.kind) == (["title", "id", "note", "IC50 nM"], "molblock")
    rows = read(library)
    assert [list(row.cells) for row in rows] == [
        ["ethanol", "1", "two\nlines", ""],
        ["", "", "", ">50"],
        ["amine", "", "", ""],
        ["last", "4", "$$$", ""],
    ]
    mols = [Chem.MolFromMolBlock(row.text) for row in rows]
    assert [Chem.MolToSmiles(mol) for mol in mols] == ["CCO", "CC", "CCN", "C"]


def test_sdf_is_read_as_rdkit_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sdf"
    writer = Chem.SDWriter(str(path))
    wanted = []
    for n, text in enumerate(["CCO", "c1ccccc1", "C[C@H](N)C(=O)O", "[Na+].[Cl-]"]):
        mol = Chem.MolFromSmiles(text)
        properties = {"_Name": f"molecule {n}", "a": f"{n}.5", "b c": f"line {n}\nline\n  third"}
        for name, value in properties.items():
            mol.SetProp(name, value)
        writer.write(mol)
        wanted.append((Chem.MolToSmiles(mol), list(properties.values())))
    writer.close()
    found = read(open_library(path))
    smiles = [Chem.MolToSmiles(Chem.MolFromMolBlock(row.text)) for row in found]
    assert list(zip(smiles, (list(row.cells) for row in found), strict=True)) == wanted


@pytest.mark.parametrize("end", ["$$$$\n", "$$$$", "$$$$\n\n\n", "", "\n\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_sdf_may_end_as_it_likes(newline: str, end: str, tmp_path: Path) -> None:
    content = f"{block('C', 'a')}$$$$\n{block('CC', 'b')}> <x>\n1\n\n{end}"
    rows = read(opened(tmp_path, "a.sdf", content.replace("\n", newline)))
    assert [list(row.cells) for row in rows] == [["a", ""], ["b", "1"]]
    assert [Chem.MolFromMolBlock(row.text).GetNumAtoms() for row in rows] == [1, 2]


def test_sdf_records_that_are_empty_keep_their_place(tmp_path: Path) -> None:
    content = (
        f"$$$$\n{block('C', 'a')}$$$$\n\n\n$$$$\n$$$$\n> <x>\n1\n\n$$$$\n{block('', 'b')}$$$$\n"
    )
    rows = read(opened(tmp_path, "a.sdf", content))
    assert [row.status for row in rows] == ["empty", "ok", "empty", "empty", "empty", "ok"]
    assert [row.cells[1] for row in rows] == ["", "", "", "", "1", ""]
    assert Chem.MolFromMolBlock(rows[-1].text).GetNumAtoms() == 0


@pytest.mark.parametrize("content", ["", "\n", "\n \n"])
def test_sdf_without_a_record(content: str, tmp_path: Path) -> None:
    library = opened(tmp_path, "a.sdf", content)
    assert (library.header, read(library)) == (["title"], [])


def test_sdf_with_a_field_that_is_called_title(tmp_path: Path) -> None:
    content = f"{block('C', 'a')}> <title>\nb\n\n$$$$\n{block('CC', 'c')}$$$$\n"
    library = opened(tmp_path, "a.sdf", content)
    assert library.header == ["title_", "title"]
    assert [list(row.cells) for row in read(library)] == [["a", "b"], ["c", ""]]


def test_sdf_bytes_that_are_no_utf8_stay_in_cells_alone(tmp_path: Path) -> None:
    content = block("C", "?M").encode().replace(b"?", b"\xb5") + b"> <x>\n\xb5\n\n$$$$\n"
    (row,) = read(opened(tmp_path, "a.sdf", content))
    assert [cell.encode("utf-8", "surrogateescape") for cell in row.cells] == [b"\xb5M", b"\xb5"]
    assert Chem.MolFromMolBlock(row.text).GetNumAtoms() == 1


def test_sdf_record_without_end_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdf, "LONGEST", 1000)
    for line in ("x" * 5000 + "\n", "x\n" * 490, "x\n" * 2000, "\n" * 1001):
        content = f"{block('C', 'a')}$$$$\nlong\n\n\n{line}M  END\n$$$$\n{block('CC', 'b')}$$$$\n"
        rows = read(opened(tmp_path, "a.sdf", content))
        assert [row.cells[0] for row in rows] == ["a", "long", "b"]
        expected = "ok" if len(line) < 1000 else "too large"
        assert [row.status for row in rows] == ["ok", expected, "ok"]


def test_sdf_with_a_field_of_its_own_in_each_record_is_refused(tmp_path: Path) -> None:
    content = "".join(f"{n}\n> <{n}>\n1\n\n$$$$\n" for n in range(20_000))
    refused(tmp_path, "a.sdf", content, "different fields", "leave fields out")
    wide = "".join(f"{block('C')}> <{n}>\n1\n\n$$$$\n" for n in range(1000))
    assert len(opened(tmp_path, "b.sdf", wide).header) == 1001


def test_sdf_with_many_records_may_have_many_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdf, "LONGEST", 1000)
    content = "".join(f"{block('C')}> <{n}>\n1\n\n$$$$\n" for n in range(400))
    assert len(read(opened(tmp_path, "a.sdf", content))) == 400


def test_sdf_ends_a_record_where_a_line_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdf, "LONGEST", 9)
    content = "x" * 10 + "$$$$\n$$$$\n"
    assert [row.status for row in read(opened(tmp_path, "a.sdf", content))] == ["too large"]


def test_the_longest_record_is_far_longer_than_any_molecule() -> None:
    assert text_files.LONGEST > 10_000_000
