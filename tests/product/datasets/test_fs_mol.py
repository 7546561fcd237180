"""FS-Mol in both its forms: the same measurements, types, bounds, repetitions; the real table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta.cli.main import main
from molmeta.datasets import fs_mol_rows, read_fs_mol, read_split, write_fs_mol
from molmeta.datasets.fs_mol import repair_phosphorus
from molmeta.errors import DataError

TABLE = Path(__file__).parents[4] / "shared" / "data" / "fsmol_assays.csv.gz"
real = pytest.mark.skipif(not TABLE.exists(), reason=f"no copy of FS-Mol's table at {TABLE}")
LOG = [("CCO", 1, 7.5, "="), ("CCN", 0, 5.0, ">"), ("CCO", 0, 6.5, "="), ("CCCl", 1, 6.9, "<")]
PERCENT = [("CCO", 1, 85.0, "="), ("C[PH](=O)(=O)O", 0, 12.0, "="), ("CCBr", 1, 70.0, "=")]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two assays a part: one of log values with a bound and a repetition, one of percentages."""
    rows = [
        (smiles, f"{name}-{split}", split, label, value, kind, relation, "B")
        for split in ("train", "valid", "test")
        for name, kind, task in (("L", "pXC50", LOG), ("P", "percent_activity", PERCENT))
        for smiles, label, value, relation in task
    ]
    columns = ["smiles", "assay_id", "split", "label", "value", "type", "relation", "assay_type"]
    path = tmp_path / "fs_mol.csv"
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def test_the_folder_and_the_table_are_the_same(table: Path, tmp_path: Path) -> None:
    rows = fs_mol_rows(table)
    write_fs_mol(rows, tmp_path / "tasks")
    assert (tmp_path / "tasks" / "valid" / "P-valid.jsonl.gz").exists()
    again = fs_mol_rows(tmp_path / "tasks")
    pd.testing.assert_frame_equal(rows, again)
    write_fs_mol(again, tmp_path / "again.csv.gz")
    pd.testing.assert_frame_equal(rows, fs_mol_rows(tmp_path / "again.csv.gz"))


def test_percentages_are_known_by_their_classes_without_a_raw_value(
    table: Path, tmp_path: Path
) -> None:
    import gzip
    import json

    write_fs_mol(fs_mol_rows(table), tmp_path / "tasks")
    file = tmp_path / "tasks" / "test" / "P-test.jsonl.gz"
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    for line in lines:
        del line["RegressionProperty"]
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    task = fs_mol_rows(tmp_path / "tasks").query("assay_id == 'P-test'")
    assert set(task["type"]) == {"percent_activity"}
    np.testing.assert_allclose(task["value"], [85.0, 12.0, 70.0])


def test_repetitions_are_merged_or_kept(table: Path) -> None:
    merged, names = read_fs_mol(table)
    assert names["validation"] == ["L-valid", "P-valid"]
    assert len(merged.assays["L-test"]) == 2  # a tie of labels is left out
    kept, _ = read_fs_mol(table, merge=False)
    assert kept.assays["L-test"].molecules.smiles == ["CCO", "CCN", "CCO", "CCCl"]
    assert kept.assays["L-test"].values.tolist() == [1, 0, 0, 1]
    assert kept.report.merged == 0


def test_measured_values_are_log_values_alone_and_bounds_are_turned(table: Path) -> None:
    measured, names = read_fs_mol(table, measured=True)
    assert list(measured.assays) == ["L-train", "L-valid", "L-test"]
    assert names["test"] == ["L-test"]
    assay = measured.assays["L-test"]
    found = dict(
        zip(assay.molecules.smiles, zip(assay.values, assay.censor, strict=True), strict=True)
    )
    assert found == {"CCO": (7.0, 0), "CCN": (5.0, -1), "CCCl": (6.9, 1)}


def test_phosphorus_is_repaired_and_nothing_else_is_touched(table: Path) -> None:
    repaired, _ = read_fs_mol(table)
    assert repaired.assays["P-test"].molecules.smiles == ["CCO", "CP(=O)(O)O", "CCBr"]
    assert len(repaired.report.rejected) == 0
    for other in ("CCO", "C[PH](=O)O", "not a molecule [PH](=O)(=O)", "[PH4+]"):
        assert repair_phosphorus(other) == other


def test_what_is_wrong_with_a_table_is_said(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    for change, told in (
        ({"label": 2}, "row 1 has '2' as label"),
        ({"split": "dev"}, "'split' is train, valid or test, not 'dev'"),
        ({"value": "high"}, "row 1 has 'high' as value"),
    ):
        path = tmp_path / "wrong.csv"
        wrong = frame.astype(object)
        for column, value in change.items():
            wrong.loc[0, column] = value
        wrong.to_csv(path, index=False)
        with pytest.raises(DataError, match=told):
            fs_mol_rows(path)
    frame.loc[0, "assay_id"] = "L-test"
    frame.to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(DataError, match="L-test in two parts"):
        fs_mol_rows(tmp_path / "wrong.csv")


def test_the_command_line_says_what_is_there_and_converts(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tasks"
    assert main(["data", "fs-mol", str(table), "--output", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "| valid | 2 | 1 | 1 | 7 | 5 | 2 | 0 | 1 | 1 | 100.0% |" in told
    assert "1 SMILES have phosphorus" in told
    assert main(["data", "fs-mol", str(folder), "--output", str(folder)]) == 2
    assert main(["data", "fs-mol", str(folder), "--output", str(table)]) == 2
    assert main(["data", "fs-mol", str(folder), "--output", str(table), "--overwrite"]) == 0
    assert capsys.readouterr().out == told
    assert main(["data", "fs-mol", str(table), "--output", str(table), "--overwrite"]) == 2
    assert "is an input of this command" in capsys.readouterr().err


@real
def test_the_real_table_is_what_is_known_of_it() -> None:
    rows = fs_mol_rows(TABLE)
    assert rows.groupby("split")["assay_id"].nunique().to_dict() == {
        "train": 4935,
        "valid": 39,
        "test": 157,
    }
    assert len(rows) == 482_933
    sign = np.where(rows["type"] == "pXC50", 1, -1)  # a percentage's logarithm is turned
    log = rows["value"].where(sign == 1, np.log10(rows["value"].abs())) * sign
    means = log.groupby([rows["assay_id"], rows["label"]]).mean().unstack()
    runs_with = means[1] > means[0]
    types = rows.drop_duplicates("assay_id").set_index("assay_id")["type"]
    assert ((types == "pXC50") == runs_with.reindex(types.index)).all()
    split = read_split("fsmol")
    for part, folder in (("validation", "valid"), ("test", "test")):
        assert set(split[part]) == set(rows["assay_id"][rows["split"] == folder])
