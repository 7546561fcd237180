"""`molmeta data check`: each thing that can be wrong with a table is found, where it is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from molmeta.cli.main import main
from molmeta.datasets.measurements import read_measurements
from molmeta.errors import DataError
from molmeta.tasks.assay import Assays
from molmeta.workbench.curation import check_data
from molmeta.workbench.findings import DataCheck, Finding


@pytest.fixture(scope="module")
def clean(embedded: Assays) -> pd.DataFrame:
    """40 real measurements without anything to say against them."""
    one = embedded["CHEMBL2047_EC50"]
    order = np.random.default_rng(0).permutation(len(one))[:40]
    part = one.take(order)
    values = np.round(part.values + np.random.default_rng(1).uniform(0, 0.04, 40), 3)
    return pd.DataFrame({"smiles": part.molecules.smiles, "pEC50": values})


def check(frame: pd.DataFrame, folder: Path, **options: object) -> DataCheck:
    path = folder / "table.csv"
    frame.to_csv(path, index=False)
    (found,) = check_data(read_measurements(path), **options)  # type: ignore[arg-type]
    return found


def of(found: DataCheck, topic: str) -> Finding:
    (one,) = [finding for finding in found.findings if finding.topic == topic]
    return one


def with_rows(frame: pd.DataFrame, *rows: tuple[str, object]) -> pd.DataFrame:
    return pd.concat([frame, pd.DataFrame(rows, columns=frame.columns)], ignore_index=True)


def test_a_clean_table_has_no_warning(clean, tmp_path):
    found = check(clean, tmp_path)
    assert [f.topic for f in found.findings if f.level == "warning"] == []
    assert of(found, "size").text == "40 measurements, 40 distinct molecules that can be used"
    assert "20 active, 20 inactive (active: above the median" in of(found, "balance").text
    assert "ok: **units**" in found.markdown()


def test_unreadable_rows_are_numbered_as_in_the_file(clean, tmp_path):
    frame = with_rows(clean, ("C(C", 5.0), ("", 6.0))
    one = of(check(frame, tmp_path), "molecules")
    assert one.level == "warning" and one.text.startswith(
        "2 rows cannot be used (the first: row 41"
    )
    assert one.rows["row"].tolist() == [41, 42]


def test_duplicates_that_disagree(clean, tmp_path):
    first, second = clean["smiles"][:2]
    frame = with_rows(clean, (first, clean["pEC50"][0] + 2), (second, clean["pEC50"][1] + 0.1))
    one = of(check(frame, tmp_path), "duplicates")
    assert one.level == "warning"
    assert one.text.startswith("2 molecules were measured several times, 2 rows are merged; 1 dis")
    assert one.rows["smiles"].tolist() == [first]


def test_salts_and_the_same_molecule_as_a_salt(clean, tmp_path):
    frame = with_rows(clean, ("CC(=O)[O-].[Na+]", 5.0), ("CC(O)=O", 5.2))
    found = check(frame, tmp_path)
    assert of(found, "salts").text.startswith("1 rows are salts or mixtures")
    assert of(found, "duplicates").text.startswith("1 molecules were measured several times")


def test_stereoisomers_that_differ(clean, tmp_path):
    frame = with_rows(clean, ("C[C@H](N)C(=O)O", 4.0), ("C[C@@H](N)C(=O)O", 7.0))
    one = of(check(frame, tmp_path), "stereo")
    assert one.level == "warning" and "1 of 1 sets of stereoisomers differ by 1" in one.text
    assert len(one.rows) == 2
    unset = of(check(with_rows(clean, ("CC(N)C(=O)O", 4.0)), tmp_path), "stereo")
    base = of(check(clean, tmp_path), "stereo")
    count = [int(f.text.split()[0]) for f in (unset, base)]
    assert count[0] == count[1] + 1


@pytest.mark.parametrize("scale", [1e9, 1e6])
def test_concentrations_are_not_potencies(clean, tmp_path, scale):
    frame = clean.assign(value=(scale * 10 ** -clean["pEC50"]).round(4)).drop(columns="pEC50")
    one = of(check(frame, tmp_path), "units")
    assert one.level == "warning" and "9 − log10(nM)" in one.text
    with pytest.raises(DataError, match=r"holds .*no −log10 of a molar concentration"):
        check(frame.rename(columns={"value": "pEC50"}), tmp_path)


def test_a_pile_at_the_end_is_a_limit(clean, tmp_path):
    values = clean["pEC50"].clip(lower=float(np.sort(clean["pEC50"])[9]))
    one = of(check(clean.assign(pEC50=values), tmp_path), "piles")
    assert one.level == "warning" and "write them as <" in one.text


def test_bounds_are_counted(clean, tmp_path):
    frame = clean.assign(pEC50=clean["pEC50"].astype(str))
    frame.loc[:4, "pEC50"] = ">5"
    frame.loc[5:6, "pEC50"] = "<4"
    assert "5 values are lower bounds (>) and 2 upper" in of(check(frame, tmp_path), "bounds").text


def test_few_of_a_class(clean, tmp_path):
    threshold = float(np.sort(clean["pEC50"])[-3])
    one = of(check(clean, tmp_path, threshold=threshold), "balance")
    assert one.level == "warning" and one.text.startswith("3 active, 37 inactive")
    beyond = of(check(clean, tmp_path, threshold=99.0), "balance")
    assert beyond.level == "warning" and "all 40 measurements are inactive" in beyond.text


def test_cliffs(clean, tmp_path):
    pair = ("CCCCCCCCCCCCCC(=O)NCCc1ccccc1", "CCCCCCCCCCCCCCC(=O)NCCc1ccccc1")
    frame = with_rows(clean, (pair[0], 4.0), (pair[1], 8.0))
    one = of(check(frame, tmp_path), "activity cliffs")
    assert {one.rows["smiles"].iloc[0], one.rows["other"].iloc[0]} == set(pair)
    assert one.rows["difference"].iloc[0] == 4 and one.rows["similarity"].iloc[0] >= 0.9


def test_one_scaffold_throughout(tmp_path):
    smiles = [f"c1ccccc1{'C' * n}" for n in range(1, 30)] + ["C1CCCCC1", "c1ccncc1"]
    frame = pd.DataFrame({"smiles": smiles, "pIC50": 4 + np.arange(31) / 10})
    one = of(check(frame, tmp_path), "scaffolds")
    assert one.level == "note" and "the most common has 94 %" in one.text


def test_unusual_chemistry(clean, tmp_path):
    one = of(check(with_rows(clean, ("C[Hg]C", 5.0), ("[Pt](Cl)Cl", 6.0)), tmp_path), "chemistry")
    assert one.rows["reason"].tolist() == ["it has Hg", "it has Pt"]


def test_the_noise_of_replicates_is_a_ceiling(clean, tmp_path, rng):
    noise = 0.4
    again = clean.assign(pEC50=clean["pEC50"] + rng.normal(0, noise * 2**0.5, 40))
    one = of(check(pd.concat([clean, again]), tmp_path), "noise ceiling")
    pairs = np.stack([clean["pEC50"], again["pEC50"]], axis=1)
    expected = np.sqrt(pairs.var(axis=1, ddof=1).mean())
    assert f"differ by {expected:.2f} (standard deviation, 40 degrees" in one.text
    spread = np.var(pairs.mean(axis=1))
    assert f"can pass R² {1 - expected**2 / spread:.2f} or ROC-AUC" in one.text
    area = float(one.text.rpartition(" ")[2])
    medians = pairs.mean(axis=1)
    drawn = medians + rng.normal(0, expected, (500, 40))
    areas = [roc_auc_score(d > np.median(medians), medians) for d in drawn]
    assert area == pytest.approx(np.mean(areas), abs=0.01)
    assert of(check(clean, tmp_path), "noise ceiling").text.startswith("unknown")


def test_labels_are_checked_as_labels(clean, tmp_path):
    frame = clean.assign(pEC50=(clean["pEC50"] > clean["pEC50"].median()).astype(int))
    frame = with_rows(frame, *((s, 1 - y) for s, y in frame.to_numpy()[:3]))
    found = check(frame, tmp_path)
    assert "of 3 pairs of repeated labels 0 % agree" in of(found, "noise ceiling").text
    assert of(found, "duplicates").level == "warning"
    assert not [f for f in found.findings if f.topic in ("units", "piles")]


def test_every_assay_of_a_table_is_checked_by_itself(clean, tmp_path, capsys):
    long = pd.concat(
        [
            pd.DataFrame({"smiles": clean["smiles"], "assay_id": name, "value": values})
            for name, values in (("A", clean["pEC50"]), ("B", clean["pEC50"] * 100))
        ]
    )
    path, rows, page = (tmp_path / name for name in ("t.csv", "rows.csv", "page.md"))
    long.to_csv(path, index=False)
    with path.open("a") as file:
        file.write("not a molecule,B,5\n")
    command = ["data", "check", str(path), "--rows-path", str(rows), "--output", str(page)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert page.read_text().strip() == printed.strip()
    a, b = printed.split("## B")
    assert "WARNING" not in a and "WARNING: **units**" in b and "row 81" in b
    found = pd.read_csv(rows)
    wrong = found[found["topic"] == "molecules"]
    assert wrong["row"].tolist() == [81] and wrong["assay_id"].tolist() == ["B"]
    assert main(["data", "check", str(tmp_path / "none.csv")]) == 2
    assert main(["data", "check", str(path), "--output", str(path)]) == 2
    assert "is an input of this command" in capsys.readouterr().err
