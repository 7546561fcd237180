"""Files as people export them: each is read by what stands in it, or refused with what to do."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from molmeta import Classification, FewShotRegressor, MolmetaError, from_pretrained, read_table
from molmeta.cli.main import main
from molmeta.datasets import table_files
from molmeta.datasets.names import unit_in_name

CASES = Path(__file__).parents[4] / "shared" / "cases"
SMILES = ["c1ccccc1O", "c1ccccc1N", "CCCCO", "CCCCN", "c1ccncc1", "CC(=O)OCC", "CCSCC", "CCCl"]
NM = [3.0, 20.0, 150.0, 800.0, 1200.0, 5000.0, 12000.0, 90000.0]
P = [9 - math.log10(value) for value in NM]


def case(name: str) -> Path:
    if not (CASES / name).exists():
        pytest.skip(f"{CASES / name} is not there")
    return CASES / name


def written(folder: Path, text: str, name: str = "a.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def table(values: list, header: str = "smiles,IC50 (nM)", separator: str = ",") -> str:
    lines = [separator.join(map(str, row)) for row in zip(SMILES, values, strict=True)]
    return "\n".join([header, *lines, ""])


READ = {  # file: assay, measurements, what is said
    "02_semicolon.csv": ("pIC50", 24, "separated by ';'"),
    "04_decimal_comma_quoted.csv": ("pIC50", 24, "pIC50 has decimal commas"),
    "10_index_column.csv": ("pIC50", 24, "a column left out as index or id"),
    "12_tab.tsv": ("pIC50", 24, "separated by tab"),
    "14_chembl_export.csv": ("pChEMBL Value", 24, "ChEMBL's table"),
    "16_qualifiers_nM.csv": ("pIC50", 24, "IC50_nM in nM taken as pIC50, 8 bounds"),
    "18_text_missing.csv": ("pIC50", 16, "1 ND"),
    "28_ID_numeric.csv": ("pIC50", 24, "'CID' left out as index or id"),
    "36_activity_words.csv": ("activity", 24, "'Active' read as active"),
    "43_bace64_nM.csv": ("pIC50", 64, "IC50_nM in nM taken as pIC50, 9 bounds"),
}


@pytest.mark.parametrize("name", READ)
def test_a_file_is_read_without_a_flag(name: str) -> None:
    found = read_table(case(name))
    assay, count, said = READ[name]
    assert {one.name: len(one) for one in found.assays.values()} == {assay: count}
    assert said in str(found.report) and not found.report.concerns
    assert found.assays[assay].info["read"] == ", ".join(found.report.understood)
    assert found.assays[assay].values.max() < 10


def test_two_columns_of_one_name_are_refused_or_taken_by_place() -> None:
    path = case("09_duplicate_columns.csv")
    with pytest.raises(MolmetaError, match=r"2 columns 'pIC50' \(columns 2 and 3\)"):
        read_table(path)
    with pytest.raises(MolmetaError, match="rename one"):
        read_table(path, target_columns=["pIC50"])
    first, second = (read_table(path, target_columns=[place]) for place in "23")
    (one,), (other,) = first.assays.values(), second.assays.values()
    assert np.allclose(other.values - one.values, 1)


def test_bounds_turn_round_with_the_values() -> None:
    (assay,) = read_table(case("16_qualifiers_nM.csv")).assays.values()
    bounds = assay.values[assay.censor != 0]
    assert set(assay.censor) == {-1, 0} and set(bounds) == {5.0}


def test_a_constant_column_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(case("38_constant.csv"))
    out = str(tmp_path / "a.safetensors")
    for command in (
        ["adapt", "--data-path", path, "--regression", "--assay-path", out],
        ["compare", path, "--regression"],
    ):
        assert main(command) == 2
        assert "all 24 values are 6" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (table([f"{v / 1000:g}" for v in NM], "Structure\tKi (µM)", "\t"), "utf-16"),
        (table([f"{v / 1000:g}" for v in NM], "Molek\u00fcl;Ki (µM)", ";"), "cp1252"),
        (table([f"{v:g}".replace(".", ",") for v in NM], "SMILES;Ki [nM]", ";"), "utf-8"),
        (table([f'"{v * 1000:,.1f}"' for v in NM], "smiles,Ki_pM"), "utf-8"),
        (table([f"{v / 1000:g} µM" for v in NM], "canonical_smiles|Ki", "|"), "utf-8"),
        (table([f"{v:g},nM" for v in NM], "smiles,Ki,units"), "utf-8"),
        (table([f"{-p}" for p in P], "smiles,log10(Ki) (M)"), "utf-8"),
        (table([f"{v:g},'=',nM,Ki" for v in NM],
               "Smiles,Standard Value,Standard Relation,Standard Units,Standard Type"), "utf-8"),
    ],
    ids=["UTF-16", "cp1252", "commas", "thousands", "cells", "units", "logarithm", "ChEMBL"],
)  # fmt: skip
def test_a_concentration_becomes_a_negative_logarithm(
    text: str, encoding: str, tmp_path: Path
) -> None:
    found = read_table(written(tmp_path, text, encoding=encoding))
    (assay,) = found.assays.values()
    assert assay.values.tolist() == pytest.approx(P) and not found.report.concerns


def test_without_a_header_columns_have_places(tmp_path: Path) -> None:
    text = table([f"{p:.3f}" for p in P]).partition("\n")[2]
    found = read_table(written(tmp_path, text))
    assert len(found.assays["column 2"]) == len(P) and "no header" in str(found.report)


def test_what_looks_like_concentrations_is_told_and_units_settle_it(tmp_path: Path) -> None:
    path = written(tmp_path, table(NM, "smiles,value"))
    (concern,) = read_table(path).report.concerns
    assert "look like concentrations" in concern and "--units nM" in concern
    assert not read_table(path, units="none").report.concerns
    asked = read_table(path, units="nM")
    assert asked.assays["value"].values.tolist() == pytest.approx(P) and not asked.report.concerns


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (table([0, *NM[1:]]), "row 1 holds 0, which is no concentration in nM"),
        (table(NM, "smiles,pIC50"), "row 3 holds 150, which as -log M is no"),
        (table(["5.5", '"6,5"', *P[2:]], "smiles,pIC50"), "row 2 holds '6,5' and row 1 '5.5'"),
        (table(["3 nM", *NM[1:]], "smiles,IC50"), "row 2 holds 20 without a unit"),
        (table(["ND"] * 8, "smiles,pIC50"), "only words for missing ones"),
        (table(["high", *P[1:]], "smiles,pIC50"), "row 1, column 'pIC50' holds 'high'"),
    ],
)
def test_what_cannot_be_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MolmetaError) as caught:
        read_table(written(tmp_path, text))
    assert said in str(caught.value)


@pytest.mark.parametrize("words", ["yes no", "TRUE FALSE", "Active Inactive", "1 -1", "Y N"])
def test_two_words_are_two_classes(words: str, tmp_path: Path) -> None:
    cells = words.split() * 4
    (assay,) = read_table(written(tmp_path, table(cells, "smiles,hit"))).assays.values()
    assert isinstance(assay.target, Classification) and assay.values.tolist() == [1, 0] * 4


def test_the_table_of_pubchem_is_read(tmp_path: Path) -> None:
    header = "PUBCHEM_RESULT_TAG,PUBCHEM_SID,PUBCHEM_CID,PUBCHEM_EXT_DATASOURCE_SMILES,"
    header += "PUBCHEM_ACTIVITY_OUTCOME,PUBCHEM_ACTIVITY_SCORE,Potency\n"
    described = "RESULT_TYPE,,,,,,FLOAT\nRESULT_DESCR,,,,,,what\nRESULT_UNIT,,,,,,MICROMOLAR\n"
    outcomes = ["Active", "Inactive", "Inconclusive", "Active"] * 2
    rows = [
        f"{i},{i},{i},{smiles},{outcome},{i},{value / 1000}\n"
        for i, (smiles, outcome, value) in enumerate(zip(SMILES, outcomes, NM, strict=True), 1)
    ]
    path = written(tmp_path, header + described + "".join(rows))
    found = read_table(path)
    assert len(found.assays["PUBCHEM_ACTIVITY_OUTCOME"]) == 6
    assert "2 Inconclusive taken as missing" in str(found.report) and found.report.rows == 8
    (potency,) = read_table(path, target_columns=["Potency"]).assays.values()
    assert potency.values.tolist() == pytest.approx(P)


def test_the_fields_of_an_sdf_are_measurements(tmp_path: Path) -> None:
    path = tmp_path / "a.sdf"
    with Chem.SDWriter(str(path)) as file:
        for number, (smiles, value) in enumerate(zip(SMILES, NM, strict=True), 1):
            mol = Chem.MolFromSmiles(smiles)
            mol.SetProp("Compound_ID", str(number))
            mol.SetProp("IC50 (nM)", f"{'>' if number == 8 else ''}{value:g}")
            file.write(mol)
    found = read_table(path)
    assay = found.assays["pIC50"]
    assert assay.values.tolist() == pytest.approx(P) and assay.censor[-1] == -1
    assert "'Compound_ID' left out" in str(found.report)


def test_a_workbook_is_read_or_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame().to_excel(book, sheet_name="notes")
        cells = {"Smiles": SMILES, "IC50 (nM)": [*NM[:-1], f">{NM[-1]}"]}
        pd.DataFrame(cells).to_excel(book, sheet_name="data", index=False)
    assay = read_table(path).assays["pIC50"]
    assert assay.values.tolist() == pytest.approx(P) and assay.censor[-1] == -1

    def missing(*_: object, **__: object) -> None:
        raise ImportError("openpyxl")

    monkeypatch.setattr(table_files.pd, "read_excel", missing)
    with pytest.raises(MolmetaError, match=r"pip install 'molmeta\[excel\]'"):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *((name, "%") for name in ("%inh at 10 uM", "% inhibition @ 1uM", "pct_inhib_10uM")),
        *((name, None) for name in ("inhibition at 10 µM", "Inh_10uM", "activity_at_0.5_uM")),
        *((name, "nM") for name in ("IC50nM", "IC 50 nM", "CB2_nM", "IC50 (nM) at 5 uM ATP")),
        *((name, "nM") for name in ("IC50 (nM) 10% FBS", "IC50_nM_10%serum")),
    ],
)
def test_a_dose_in_a_name_is_no_unit(name: str, unit: str | None, tmp_path: Path) -> None:
    assert unit_in_name(name) == unit
    values = NM if unit == "nM" else P
    found = read_table(written(tmp_path, table(values, f"smiles,{name}")))
    (assay,) = found.assays.values()
    assert assay.values.tolist() == pytest.approx(P)


def test_descriptors_and_errors_beside_an_assay_are_left_out(tmp_path: Path) -> None:
    values = [f"{i},{300 + i},{i / 7:.3f},{p:.2f},0.1" for i, p in enumerate(P, 100)]
    found = read_table(written(tmp_path, table(values, "smiles,mol_id,MW,cLogP,pIC50,pIC50_SD")))
    assert list(found.assays) == ["pIC50"] and "'MW', 'cLogP', 'pIC50_SD'" in str(found.report)


def test_one_assay_of_many_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = [",".join(f"{p + k:.2f}" for k in range(8)) for p in P]
    header = "smiles,a,b,c,d,e,f,pIC50,g"
    path = str(written(tmp_path, table(values, header)))
    assert main(["compare", path, "--regression"]) == 2
    said = capsys.readouterr().err
    assert "8 assays" in said and "pIC50 (8), a (8), b (8), c (8), d (8) and 3 more" in said


def test_a_verb_says_what_it_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = case("43_bace64_nM.csv"), tmp_path / "a.safetensors"
    assert main(["adapt", "--data-path", str(path), "--regression", "--assay-path", str(out)]) == 0
    assert "read 64 rows, IC50_nM in nM taken as pIC50, 9 bounds" in capsys.readouterr().err
    assert b"IC50_nM in nM taken as pIC50" in out.read_bytes()


def test_extensions_and_names_behind_a_smiles_are_dropped() -> None:
    found = read_table(case("19_cxsmiles.csv"))
    assert len(found.assays["pIC50"]) == 24 and not len(found.report.rejected)


@pytest.mark.parametrize("name", ["23_metals.csv", "42_hiv_with_metals.csv"])
def test_a_molecule_has_one_verdict(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = case(name)
    base = from_pretrained("nearest_neighbours")
    policy = from_pretrained().experiment.model.policy
    rejected = read_table(path, policy=policy).report.rejected
    assert len(rejected) and base.experiment.model.policy != policy
    assert main(["data", "check", str(path)]) == 0
    first = rejected.iloc[0]
    printed = capsys.readouterr().out
    assert f"{len(rejected)} rows cannot be used (the first: row {first['row']}," in printed
    assert first["reason"] in printed
    frame = pd.read_csv(path)
    with pytest.warns(UserWarning, match=f"{len(rejected)} molecules cannot be read") as caught:
        FewShotRegressor(calibrate=False).fit(frame.iloc[:, 0], frame.iloc[:, 1])
    assert first["reason"] in str(caught[0].message)


def test_tautomers_are_named_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(case("22_tautomers.csv"))]) == 0
    printed = capsys.readouterr().out
    assert "2 molecules stand as several tautomers, 2 of which differ" in printed
    assert "no stereoisomers" in printed


def test_many_assays_are_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = [",".join(f"{p + k:.2f}" for k in range(30)) for p in P]
    path = written(tmp_path, table(values, "smiles," + ",".join(f"T{k}" for k in range(30))))
    page = tmp_path / "page.md"
    assert main(["data", "check", str(path), "--output", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "## 30 assays" in printed and len(printed.splitlines()) < 30
    assert page.read_text(encoding="utf-8").count("**size**") == 30
