"""What would be misread without a word: it is read as it is meant, said, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from molmeta import read_table
from molmeta.datasets.table import Table
from molmeta.errors import DataError

SMILES = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccccc1", "CCN(CC)CC", "c1ccncc1C", "CCCCOC", "OCC1CCCCC1"]
P = ["5.1", "6.2", "7.3", "8.4", "5.5", "6.6", "7.7"]
NM = ["100", "2000", "30", "4000", "50", "60", "7000"]
PNM = [7, 5.699, 7.523, 5.398, 7.301, 7.222, 5.155]
SIGNS = ["=", ">", "<", "=", "=", "=", "="]
TURNED = [0, -1, 1, 0, 0, 0, 0]
AMBIGUOUS = ["4,611", "7,301", "2,345", "3,500", "4,567", "8,250", "9,876"]


def read(
    folder: Path, header: str, *columns: Sequence[str], separator: str = ",", **asked: object
) -> Table:
    rows = zip(SMILES, *columns, strict=True)
    return read_rows(folder, [header, *(separator.join(row) for row in rows)], **asked)


def read_rows(folder: Path, rows: list[str], **asked: object) -> Table:
    path = folder / "a.csv"
    path.write_text("\n".join([*rows, ""]), encoding="utf-8")
    return read_table(path, **asked)  # type: ignore[arg-type]


def values(table: Table, assay: str) -> list[float]:
    return [round(float(one), 3) for one in table.assays[assay].values]


def signs(table: Table, assay: str) -> list[int]:
    censor = table.assays[assay].censor
    return [0] * len(SMILES) if censor is None else censor.tolist()


def test_units_beside_say_nothing_of_what_is_named_otherwise(tmp_path: Path) -> None:
    header = "smiles,IC50,Units,pIC50,logD,Inhibition %"
    found = read(tmp_path, header, NM, ["nM"] * 7, P, P, NM)
    assert values(found, "IC50") == PNM
    assert values(found, "pIC50") == [float(one) for one in P]
    assert values(found, "Inhibition %") == [float(one) for one in NM]
    asked = read(tmp_path, header, NM, ["nM"] * 7, P, P, NM, target_columns=["logD"])
    assert values(asked, "logD") == [float(one) for one in P]


def test_units_beside_that_contradict_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is in nM by its name and in uM by 'Units'"):
        read(tmp_path, "smiles,IC50 (nM),Units", NM, ["uM"] * 7)
    found = read(tmp_path, "smiles,IC50 (nM),Units", NM, ["uM"] * 7, units="nM")
    assert values(found, "pIC50") == PNM


@pytest.mark.parametrize("other", ["NA", "", "n.d.", "="])
def test_one_word_for_a_missing_relation_takes_no_bound_away(other: str, tmp_path: Path) -> None:
    found = read(tmp_path, "smiles,relation,IC50 (nM)", [*SIGNS[:6], other], NM)
    assert signs(found, "pIC50") == TURNED


def test_relations_are_read_as_they_are_written(tmp_path: Path) -> None:
    written = [">>", "=>", "greater than", "<<", "=<", "Less", "gt"]
    found = read(tmp_path, "smiles,relation,IC50 (nM)", written, NM)
    assert signs(found, "pIC50") == [-1, -1, -1, 1, 1, 1, -1]
    inside = [f"{sign}{value}" for sign, value in zip(["=>", ">>", "=<"], NM[:3], strict=True)]
    assert signs(read(tmp_path, "smiles,IC50 (nM)", inside + NM[3:]), "pIC50")[:3] == [-1, -1, 1]


def test_a_relation_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 7, .*'perhaps 7000', which is not of a known"):
        read(tmp_path, "smiles,relation,IC50 (nM)", [*SIGNS[:6], "perhaps"], NM)
    others = read(tmp_path, "smiles,prefix,IC50 (nM)", ["Dr"] * 7, NM)  # is something else
    assert signs(others, "pIC50") == [0] * 7


def test_one_column_of_relations_is_turned_round_for_the_logarithm(tmp_path: Path) -> None:
    found = read(tmp_path, "smiles,relation,IC50 (nM),pIC50", SIGNS, NM, P)
    assert [signs(found, name) for name in found.assays] == [TURNED, TURNED]
    assert "turned round for pIC50" in str(found.report)
    alone = read(tmp_path, "smiles,relation,pIC50", SIGNS, P)
    assert signs(alone, "pIC50") == [-one for one in TURNED]
    named = read(
        tmp_path,
        "smiles,relation,IC50 (nM),pIC50",
        *(SIGNS, NM, P),
        target_columns=["pIC50"],
        relation_column="relation",
    )
    assert signs(named, "pIC50") == [-one for one in TURNED]


@pytest.mark.parametrize(
    "rows",
    [
        ["name,IC50_nM,smiles", *(f"A{i},5,{i},{text}" for i, text in enumerate(SMILES))],
        ["IC50_nM,smiles", *(f"{i + 3},{i},{text}" for i, text in enumerate(SMILES))],
        ["smiles,IC50_nM", *(f"{text},5,{i}" for i, text in enumerate(SMILES))],
    ],
)
def test_decimal_commas_without_quotes_are_no_names_of_rows(
    rows: list[str], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="more cells in its rows than in its header"):
        read_rows(tmp_path, rows)


@pytest.mark.parametrize("header", ["smiles,y", "y,smiles"])
@pytest.mark.parametrize("first", ["", "a"])
def test_names_of_rows_are_said(header: str, first: str, tmp_path: Path) -> None:
    cells = (
        [text, f"{i}.5"] if header == "smiles,y" else [f"{i}.5", text]
        for i, text in enumerate(SMILES)
    )
    found = read_rows(
        tmp_path, [header, *(f"{first}{i},{','.join(row)}" for i, row in enumerate(cells, 1))]
    )
    assert values(found, "y") == [i + 0.5 for i in range(7)]
    assert "names of rows left out" in str(found.report)


def test_points_in_the_file_make_commas_thousands(tmp_path: Path) -> None:
    numbers = ["1,234", "12.5", "2,345", "3.5", "4,567", "8.25", "9,876"]
    found = read(tmp_path, "smiles;IC50 (nM)", numbers, separator=";")
    assert values(found, "pIC50")[0] == 5.909
    beside = read(tmp_path, "smiles\tKi (uM)\tMW", AMBIGUOUS, ["1,5"] * 7, separator="\t")
    assert values(beside, "pKi")[0] == 5.336


def test_a_comma_of_which_nothing_tells_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1 holds '4,611', and nothing in the file tells"):
        read(tmp_path, "smiles\tKi (uM)", AMBIGUOUS, separator="\t")
    found = read(tmp_path, "smiles\tlogS", [f"-{one}" for one in AMBIGUOUS], separator="\t")
    assert values(found, "logS")[0] == -4.611


def test_a_property_is_no_assay_beside_words_for_classes(tmp_path: Path) -> None:
    words = ["active", "inactive"] * 3 + ["active"]
    found = read(tmp_path, "smiles,Class,MW", words, NM)
    assert list(found.assays) == ["Class"] and "'MW' left out" in str(found.report)
    assert list(read(tmp_path, "smiles,logS,MW", P, NM).assays) == ["logS"]


def test_a_logarithm_of_a_concentration_is_asked_about(tmp_path: Path) -> None:
    (said,) = read(tmp_path, "smiles,logIC50", P).report.concerns
    assert "give --units 'log nM'" in said
    found = read(tmp_path, "smiles,log(IC50/M)", [f"-{one}" for one in P])
    assert values(found, "pIC50") == [float(one) for one in P]


@pytest.mark.parametrize("name", ["logS (mol/L)", "Solubility (uM)", "Cmax (nM)", "AUC (nM*h)"])
def test_a_property_keeps_its_direction(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"smiles,{name}", NM)
    assert values(found, name) == [float(one) for one in NM]
    assert "is no potency by its name, and stays as it is" in str(found.report)
    if "(uM)" in name:
        with pytest.raises(DataError, match="in uM and mM; write all in one"):
            read(tmp_path, f"smiles,{name}", [*NM[:6], "5 mM"])


@pytest.mark.parametrize("name", ["p(IC50)", "p-IC50", "p IC50"])
def test_a_negative_logarithm_is_known_by_its_name(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"smiles,{name}", P)
    assert values(found, name) == [float(one) for one in P] and not found.report.concerns


@pytest.mark.parametrize("first", ["CCO,ND", "C,5.1", "CCO,5.1", "CCO,"])
def test_the_first_row_is_kept_where_there_is_no_header(first: str, tmp_path: Path) -> None:
    rows = [f"{text},{value}" for text, value in zip(SMILES[1:], P[1:], strict=True)]
    found = read_rows(tmp_path, [first, *rows])
    assert found.report.rows == 7 and "no header" in str(found.report)
    assert len(found.assays["column 2"]) == 6 + first.endswith("5.1")


@pytest.mark.parametrize("header", ["No,Structure,pIC50", "CC,Structure,pIC50", "No,smiles,pIC50"])
def test_a_header_that_could_be_a_molecule_is_a_header(header: str, tmp_path: Path) -> None:
    rows = [f"{i},{text},{value}" for i, (text, value) in enumerate(zip(SMILES, P, strict=True))]
    found = read_rows(tmp_path, [header, *rows])
    assert found.report.rows == 7 and values(found, "pIC50") == [float(one) for one in P]


def test_a_workbook_is_read_by_what_stands_in_it(tmp_path: Path) -> None:
    path, numbers = tmp_path / "a.xlsx", [float(one) for one in P]
    pd.DataFrame({0: SMILES, 1: numbers}).to_excel(path, header=False, index=False)
    found = read_table(path)
    assert values(found, "column 2") == numbers and "no header" in str(found.report)
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"by": ["me"]}).to_excel(book, sheet_name="Notes", index=False)
        frame = pd.DataFrame({"Smiles": SMILES, "pIC50": numbers})
        frame.to_excel(book, sheet_name="Data", index=False, startrow=2)
        book.sheets["Data"]["A1"] = "Results"
    found = read_table(path)
    assert values(found, "pIC50") == numbers
    assert "sheet 'Data' of 2, 1 row of titles left out" in str(found.report)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["smiles pIC50", *map(" ".join, zip(SMILES, P, strict=True))], "no column beside that of"),
        (["smiles,activity", *(f"{text},high" for text in SMILES)], r"\('activity' holds high\)"),
        (["smiles,a", *(f"{text},{text[:1]}x" for text in SMILES)], r"holds CX?x, Ox, cx\)"),
    ],
)
def test_a_table_without_measurements_says_what_it_has(
    rows: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        read_rows(tmp_path, rows)
