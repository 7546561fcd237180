"""Tables as people have them: long and wide, duplicates, salts, bad rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from molmeta import Classification, MolmetaError, Policy, Regression, read_table

LONG = """smiles,assay_id,pIC50,comment
CCO,A,5.0,
OCC,A,5.4,the same molecule
CCN,A,7.5,
CCN,A,5.0,far apart
CCC,A,6.1,
CCC,B,4.0,
CC(=O)[O-].[Na+],B,8.0,a salt
xyz,B,4.0,bad
CCCC,B,,missing
CCCO,B,NA,missing
"""

WIDE = """T1,T2,mol_id,smiles
1,0,M1,CCO
0,,M2,CCN
1,1,M3,OCC
,0,M4,CCC
0,1,M5,CCC
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_long(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", LONG))
    assert list(table.assays) == ["A", "B"]
    a, b = table.assays["A"], table.assays["B"]
    assert dict(zip(a.molecules.smiles, a.values, strict=True)) == pytest.approx(
        {"CCO": 5.2, "CCN": 6.25, "CCC": 6.1}
    )
    assert dict(zip(b.molecules.smiles, b.values, strict=True)) == {"CCC": 4.0, "CC(=O)O": 8.0}
    assert isinstance(a.target, Regression)


def test_the_report_loses_nothing(tmp_path: Path) -> None:
    report = read_table(write(tmp_path / "a.csv", LONG)).report
    assert report.rows == 10
    assert report.rejected[["row", "smiles", "status"]].to_numpy().tolist() == [
        [8, "xyz", "invalid"]
    ]
    assert report.merged == 2
    conflict = report.conflicts.to_dict("records")
    assert [(row["smiles"], row["low"], row["high"]) for row in conflict] == [("CCN", 5.0, 7.5)]
    report.write(tmp_path / "report.csv")
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 3


def test_wide_binary_with_conflicts(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", WIDE))
    assert list(table.assays) == ["T1"]  # all of T2 are ties of 0 and 1, which are left out
    first = table.assays["T1"]
    assert isinstance(first.target, Classification)
    assert dict(zip(first.molecules.smiles, first.values, strict=True)) == {
        "CCO": 1,
        "CCN": 0,
        "CCC": 0,
    }
    actions = table.report.conflicts.set_index(["assay_id", "smiles"])["action"]
    assert actions["T2", "CCO"] == "left out"
    assert actions["T2", "CCC"] == "left out"


def test_gz_and_named_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"SMI,y,z\nCCO,1.5,2\nCCN,2.5,3\n"))
    table = read_table(path, smiles_column="SMI", target_columns=["z"])
    assert list(table.assays) == ["z"]
    assert table.assays["z"].values.tolist() == [2.0, 3.0]


def test_the_policy_decides_about_salts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "smiles,y\nCC(=O)[O-].[Na+],1.5\n")
    kept = read_table(path, policy=Policy(fragments="keep", neutralise=False))
    assert kept.assays["y"].molecules.smiles == ["CC(=O)[O-].[Na+]"]


@pytest.mark.parametrize(
    ("values", "threshold", "active"),
    [
        ([1, 2, 3, 4], "median", [0, 0, 1, 1]),
        ([1, 2, 3], "median", [0, 0, 1]),
        ([1, 3, 3, 3], "median", [0, 1, 1, 1]),
        ([1, 1, 1, 3], "median", [0, 0, 0, 1]),
        ([1, 2, 3, 4], 2, [0, 1, 1, 1]),
    ],
)
def test_binarise(
    tmp_path: Path, values: list[float], threshold: float | str, active: list[int]
) -> None:
    rows = "".join(f"{'C' * (i + 1)},{v + 0.5}\n" for i, v in enumerate(values))
    assay = read_table(write(tmp_path / "a.csv", "smiles,y\n" + rows)).assays["y"]
    cut = threshold if threshold == "median" else float(threshold) + 0.5
    assert assay.binarise(cut).values.tolist() == active


def test_without_takes_molecules_out_and_keeps_the_rest(tmp_path: Path) -> None:
    assays = read_table(write(tmp_path / "a.csv", LONG)).assays
    left = assays.without({"CCC"})
    assert left["A"].molecules.smiles == ["CCO", "CCN"]
    assert left["B"].molecules.smiles == ["CC(=O)O"]
    assert np.isfinite(left["A"].values).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("smiles,assay_id,y,z\nCCO,A,1,2\n", "name the one"),
        ("smiles,name\nCCO,a\n", "numbers"),
        ("smiles,assay_id,y\nCCO,A,1e999\nCCN,A,1\n", "finite"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MolmetaError, match=said):
        read_table(write(tmp_path / "a.csv", text))


BOUNDS = """smiles,pIC50,relation
CCO,6.1,=
CCO,>5,
CCN,> 5.0,
CCN,>5.5,
CCC,<4.3,
CCCC,5,>
CCCCC,>6,
CCCCC,<7,
CCCCCC,5,
CCCCCC,>7,
CCCCCCC,~5.2,'='
"""


def test_bounds_are_read_and_merged(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", BOUNDS), relation_column="relation")
    assay = table.assays["pIC50"]
    censor = assay.censor.tolist()
    found = {
        text: (value, side)
        for text, value, side in zip(assay.molecules.smiles, assay.values, censor, strict=True)
    }
    assert found == {
        "CCO": (6.1, 0),  # a value says more than a bound
        "CCN": (5.5, 1),  # the tightest
        "CCC": (4.3, -1),
        "CCCC": (5.0, 1),  # from the column beside it
        "CCCCCC": (5.0, 0),
        "CCCCCCC": (5.2, 0),
    }
    conflicts = table.report.conflicts.set_index("smiles")["action"].to_dict()
    assert conflicts == {"CCCCC": "left out", "CCCCCC": "median kept"}
    assert "8 bounds" in str(table.report)


def test_without_bounds_an_assay_has_none(tmp_path: Path) -> None:
    assay = read_table(write(tmp_path / "a.csv", LONG)).assays["A"]
    assert assay.censor is None


def test_a_label_with_a_bound_is_no_class(tmp_path: Path) -> None:
    assay = read_table(write(tmp_path / "a.csv", "smiles,y\nC,0\nCC,1\nCCC,>1\n")).assays["y"]
    assert isinstance(assay.target, Regression) and assay.censor.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("smiles,y\nC,>\nCC,5\n", r"row 1, column 'y' holds '>', which is not a finite number"),
        ("smiles,y\nC,><5\nCC,5\n", r"holds '><5', which is not a finite number"),
        ("smiles,y\nC,5-6\nCC,5\n", r"holds '5-6', which is not a finite number, or a bound"),
    ],
)
def test_what_is_no_bound_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MolmetaError, match=message):
        read_table(write(tmp_path / "a.csv", text), target_columns=["y"])


def test_a_wrong_relation_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "smiles,y,sign\nC,5,=\nCC,5,about\n")
    with pytest.raises(
        MolmetaError, match=r"row 2, .* 'about 5', which is not of a known relation"
    ):
        read_table(path, relation_column="sign")
    with pytest.raises(MolmetaError, match="has no column 'relation'"):
        read_table(path, relation_column="relation")
