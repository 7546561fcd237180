"""What would be misread without a word: it is read as it is meant, said, or refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from molmeta import read_table
from molmeta.datasets.csv_tables import read_csv
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


@pytest.mark.parametrize("name", ["logS (mol/L)", "Solubility (uM)", "Cmax (nM)"])
def test_a_property_keeps_its_direction(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"smiles,{name}", NM)
    assert values(found, name) == [float(one) for one in NM]
    assert "is no potency by its name, and stays as it is" in str(found.report)
    if "(uM)" in name:
        with pytest.raises(DataError, match="in uM and mM; write all in one"):
            read(tmp_path, f"smiles,{name}", [*NM[:6], "5 mM"])


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        *((name, 6) for name in ("COX-2_uM", "HCT 116 uM", "CYP3A4 (micromolar)", "IC50_COX-2_uM")),
        *((name, 6) for name in ("Substance P IC50 (uM)", "IC50 (uM) vs log-phase cells")),
        *((name, 9) for name in ("HIV-1 nM", "Replicate 1 nM", "ic50_nanomolar", "ERRα IC50 (nM)")),
        *((name, None) for name in ("log(1/IC50) [M]", "neg_log_IC50_M", "minus log IC50 (M)")),
        *((name, None) for name in ("negLogIC50", "1/IC50 (uM-1)", "IC50 (uM^-1)", "kon (1/uM s)")),
        *((name, None) for name in ("IC50 ratio (nM/nM)", "Kinact/KI (uM-1 s-1)")),
    ],
)
def test_a_unit_of_a_name_is_of_its_concentrations(
    name: str, factor: int | None, tmp_path: Path
) -> None:
    found = read(tmp_path, f"smiles,{name}", P)
    (assay,) = found.assays
    wanted = [float(one) for one in P]
    if factor:
        wanted = [round(factor - math.log10(one), 3) for one in wanted]
    assert values(found, assay) == wanted and not found.report.concerns


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MIC 10% serum", "without a unit"),
        ("IC50 (ug/mL)", "in ug/mL, which is not read here"),
        ("JAK2 (mg/L)", "in mg/L, which is not read here"),
        ("IC50_M", "7 values of IC50_M are above 1 M"),
    ],
)
def test_a_unit_that_cannot_be_or_is_not_read_is_said(name: str, said: str, tmp_path: Path) -> None:
    (concern,) = read(tmp_path, f"smiles,{name}", P).report.concerns
    assert said in concern


@pytest.mark.parametrize("name", ["ln IC50 (uM)", "log2 IC50 (uM)"])
def test_another_logarithm_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ln or log2 of a concentration"):
        read(tmp_path, f"smiles,{name}", P)


@pytest.mark.parametrize(
    ("cell", "shown"), [("10 - 20", "10 - 20"), ("ca. 20", "ca. 20"), ("12; 340", "12; 340")]
)
def test_one_odd_cell_makes_no_other_column_the_assay(
    cell: str, shown: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"row 7, column 'IC50_nM' holds '{shown}'"):
        read(tmp_path, "smiles,IC50_nM,Emax", [*NM[:6], cell], NM)
    found = read(tmp_path, "smiles,JAK2,Emax", [*NM[:6], cell], NM)
    assert f"'JAK2' left out, whose row 7 holds '{shown}'" in str(found.report)
    words = read(tmp_path, "smiles,Class,Emax", ["A", "I"] * 3 + ["A"], NM)
    assert "'Class' left out, whose words 'A', 'I' are not known" in str(words.report)


def test_what_stands_behind_a_number_is_left_out(tmp_path: Path) -> None:
    cells = ["5.1 ± 0.2", "6.2 (n=3)", "7.3 +/- 0.10", "8.4", "5.5 ± 1 (n = 12)", "6.6", "7.7"]
    found = read(tmp_path, "smiles,pIC50,MW", cells, NM)
    assert values(found, "pIC50") == [float(one) for one in P]
    assert "errors or counts behind its numbers" in str(found.report)


@pytest.mark.parametrize(
    "name",
    ["IC50 qualifier", "IC50_relation", "IC50 (nM) Operator", "Relation (IC50)", "<>", "op", "x"],
)
def test_relations_are_known_by_their_column_or_by_what_stands_in_it(
    name: str, tmp_path: Path
) -> None:
    assert signs(read(tmp_path, f"smiles,{name},IC50_nM", SIGNS, NM), "pIC50") == TURNED


def test_each_column_of_several_relations_or_units_is_of_its_neighbour(tmp_path: Path) -> None:
    other = ["=", "=", "=", "=", "=", "=", ">"]
    header = "smiles,qualifier,EGFR_IC50_nM,qualifier,JAK2_IC50_nM"
    found = read(tmp_path, header, SIGNS, NM, other, NM)
    assert signs(found, "EGFR_IC50_nM") == TURNED
    assert signs(found, "JAK2_IC50_nM") == [0] * 6 + [-1]
    for header in ("EGFR_IC50,Units,JAK2_IC50,Units", "EGFR_IC50,EGFR_IC50 units,JAK2_IC50,Units"):
        found = read(tmp_path, f"smiles,{header}", NM, ["nM"] * 7, NM, ["uM"] * 7)
        assert values(found, "EGFR_IC50") == PNM
        assert values(found, "JAK2_IC50") == [round(one - 3, 3) for one in PNM]
    with pytest.raises(DataError, match=r"may each be of 'EGFR_IC50_nM'"):
        read(tmp_path, "smiles,qualifier,op,EGFR_IC50_nM", SIGNS, other, NM)


def test_a_unit_that_is_asked_for_is_that_of_what_has_none(tmp_path: Path) -> None:
    header = "smiles,IC50,pIC50,% Inhibition at 10 uM,EC50_uM"
    found = read(tmp_path, header, NM, P, NM, NM, units="nM")
    assert values(found, "IC50") == PNM and values(found, "pIC50") == [float(one) for one in P]
    assert values(found, "% Inhibition at 10 uM") == [float(one) for one in NM]
    assert values(found, "pEC50" if "pEC50" in found.assays else "EC50_uM")[0] == 4
    mixed = read(tmp_path, "smiles,IC50,units", NM, ["nM"] * 6 + ["uM"], units="nM")
    assert values(mixed, "pIC50" if "pIC50" in mixed.assays else "IC50")[-1] == 2.155


@pytest.mark.parametrize("name", ["result_unit", "UOM", "Unit of Measure", "unit(s)"])
def test_a_column_of_units_is_known_by_its_name(name: str, tmp_path: Path) -> None:
    assert values(read(tmp_path, f"smiles,result,{name}", NM, ["nM"] * 7), "result") == PNM


def test_units_of_some_cells_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 1 holds 5\.1 without a unit"):
        read(tmp_path, "smiles,Activity", [*P[:6], "45%"])


def test_rows_of_chembl_without_a_potency_are_left_out(tmp_path: Path) -> None:
    header = "Smiles,Standard Type,Standard Value,Standard Units,pChEMBL Value"
    sorts = ["IC50", "IC50", "Hill slope", "Ratio", "Cmax", "Log IC50", "IC50"]
    units = ["nM", "nM", "", "", "nM", "", "nM"]
    found = read(tmp_path, header, sorts, NM, units, ["7", "5.7", "", "", "", "", ""])
    assert values(found, "pChEMBL Value") == [7, 5.7, 5.155]
    assert "4 rows of no potency left out" in str(found.report)


@pytest.mark.parametrize("name", ["Assay ID", "AssayId", "ASSAY_ID"])
def test_a_column_of_assays_is_known_in_any_letters(name: str, tmp_path: Path) -> None:
    assays = ["EGFR", "JAK2 "] * 3 + ["EGFR"]
    assert set(read(tmp_path, f"smiles,{name},IC50_nM", assays, NM).assays) == {"EGFR", "JAK2"}
    with pytest.raises(DataError, match="row 7 has no name of an assay"):
        read(tmp_path, f"smiles,{name},IC50_nM", [*assays[:6], ""], NM)


def test_what_is_taken_together_or_turned_alike_is_said(tmp_path: Path) -> None:
    assays = ["EGFR", "JAK2"] * 3 + ["EGFR"]
    (said,) = read(tmp_path, "smiles,Target,IC50_nM", assays, NM).report.concerns
    assert "'Target' has 2 values, and their measurements are taken together" in said
    kinds = ["EGFR", "solubility"] * 3 + ["EGFR"]
    (said,) = read(tmp_path, "smiles,assay_id,Value,Unit", kinds, NM, ["nM"] * 7).report.concerns
    assert "the assay 'solubility' is a property by its name" in said


@pytest.mark.parametrize(
    "name",
    [
        *("IC50_uM_std", "IC50_uM_count", "EGFR: IC50 (uM) (Count)", "EGFR: Hill slope"),
        "EGFR: R2",
        *("IC50 (uM) SE", "pIC50 95% CI lower", "Conc (uM)", "Year tested", "Batch purity"),
    ],
)
def test_an_error_a_count_or_a_dose_is_no_assay(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"smiles,Cmpd IC50 (nM),{name}", NM, NM[::-1])
    assert values(found, "pIC50") == PNM and f"'{name}' left out" in str(found.report)


def test_commas_in_a_header_do_not_separate_a_file_of_tabs(tmp_path: Path) -> None:
    numbers = ["12,5", "340,7", "56,1", "1,5", "2,5", "3,5", "4,5"]
    found = read(tmp_path, "smiles\tIC50, nM", numbers, separator="\t")
    assert values(found, "pIC50")[0] == 7.903


def test_points_between_thousands_are_known_by_decimal_commas(tmp_path: Path) -> None:
    thousands, commas = ["1.234", "12", "7.800"] * 2 + ["3"], [one.replace(".", ",") for one in P]
    found = read(tmp_path, "smiles;IC50 (nM);pIC50", thousands, commas, separator=";")
    assert values(found, "IC50 (nM)")[0] == 5.909 and values(found, "pIC50")[0] == 5.1


def test_names_that_differ_by_a_blank_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 2 columns 'IC50_nM'"):
        read(tmp_path, "smiles,IC50_nM, IC50_nM", NM, NM)


def test_rows_between_open_quotes_are_not_lost(tmp_path: Path) -> None:
    names = ["a", '"b', "c", '"d', "e", "f", "g"]
    rows = [f"{name}\t{text}\t5" for name, text in zip(names, SMILES, strict=True)]
    with pytest.raises(DataError, match="a quote is not closed there"):
        read_rows(tmp_path, ["name\tsmiles\tpIC50", *rows])


def test_a_scaffold_is_not_the_molecule(tmp_path: Path) -> None:
    found = read(tmp_path, "Structure,Scaffold_SMILES,pIC50", ["c1ccccc1"] * 7, P)
    assert values(found, "pIC50") == [float(one) for one in P]


@pytest.mark.parametrize("above", ["sep=,", "# made by me", "My results\n", '"Title"\n\n'])
def test_lines_above_a_header_are_left_out(above: str, tmp_path: Path) -> None:
    rows = [f"{text},{value}" for text, value in zip(SMILES, P, strict=True)]
    found = read_rows(tmp_path, [above, "smiles,pIC50", *rows])
    assert values(found, "pIC50") == [float(one) for one in P]
    assert "above the header left out" in str(found.report)


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


def test_a_header_of_one_column_is_no_title(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("smiles\nCCO\nCC |$;x$|\nCCN\n", encoding="utf-8")
    assert list(read_csv(path).columns) == ["smiles"]
