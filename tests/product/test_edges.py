"""Edges: bounds, duplicates, ties, and one line in place of a traceback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta.cli.main import main
from molmeta.errors import MolmetaError
from molmeta.models.checkpoints import from_pretrained
from molmeta.molecules.identity import read_mol
from molmeta.tasks.assay import Assay, Assays
from molmeta.tasks.targets import Regression
from molmeta.workbench.cross_validation import compare
from molmeta.workbench.estimators import FewShotClassifier, FewShotRegressor
from molmeta.workbench.explanations import similar_assays
from molmeta.workbench.report.contents import _audit
from molmeta.workbench.suggestion import suggest
from molmeta.workbench.verbs import suggest_from


@pytest.fixture(scope="module")
def part(embedded: Assays) -> Assay:
    one = embedded["CHEMBL2034_Ki"]
    few = one.take(np.random.default_rng(1).permutation(len(one))[:32])
    return Assay("GR", few.molecules.apart(), few.values, Regression(), few.info)


@pytest.fixture(scope="module")
def forest():
    model = from_pretrained("random_forest")
    model.learner.learner.n_trees = 20
    return model


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("molmeta: error: ")
    return said


def test_a_comparison_whose_first_model_is_the_forest_recommends_by_the_other(part, forest) -> None:
    models = {"random_forest": forest, "nearest_neighbours": from_pretrained("nearest_neighbours")}
    told = compare(part.binarise(), models, repeats=1).recommendation()
    assert "nearest_neighbours − random forest" in told


def test_bounds_are_learned_from_and_not_scored(part, forest) -> None:
    models = {"nearest_neighbours": from_pretrained("nearest_neighbours"), "random_forest": forest}
    censor = np.zeros(len(part), dtype=np.int64)
    censor[::4] = 1
    values = part.values.copy()
    values[::4] = -100.0  # as values these would be errors of a hundred
    bounded = Assay("GR", part.molecules, values, Regression(), part.info, censor)
    found = compare(bounded, models, repeats=1)
    assert "8 of them are bounds: learned from, and not scored." in found.markdown()
    test_part = np.arange(16)  # what is asked about has no such value
    from molmeta.workbench.fits import _score

    told = dict(_score(forest, bounded, np.arange(16, 32)[censor[16:] == 0], test_part))
    assert told["rmse"] < 10


def test_what_was_measured_is_not_suggested_again_whatever_it_says(part, tmp_path: Path) -> None:
    cells = [f"{value:.2f}" for value in part.values]
    cells[:8] = ["<9"] * 8  # these say nothing at the median
    data, library = tmp_path / "data.csv", tmp_path / "library.csv"
    pd.DataFrame({"smiles": part.molecules.smiles, "pKi": cells}).to_csv(data, index=False)
    others = ["CCO", "CCN", "CCCl", "CCBr"]
    frame = pd.DataFrame({"smiles": [*part.molecules.smiles, *others, *others]})
    frame.to_csv(library, index=False)
    found = suggest_from(data, library, 12, strategy="exploit", device="cpu")
    assert sorted(found["smiles"]) == sorted(others)


def test_of_a_molecule_in_two_rows_the_cheaper_is_suggested_once() -> None:
    mols = [read_mol(text) for text in ("CCO", "OCC", "CCN")]
    found = suggest(mols, [2.0, 2.0, 1.0], [], 3, strategy="exploit", costs=[5.0, 1.0, 1.0])
    assert found["position"].tolist() == [1, 2]


def test_a_report_on_a_model_without_a_list_says_that_it_is_not_known(part, tmp_path) -> None:
    assert "not known" in _audit(tmp_path, part, [])[0]
    assert "nothing but the measurements" in _audit(None, part, [])[0]


def test_similar_assays_for_a_model_of_classes(part, embedded: Assays) -> None:
    base = from_pretrained("random_forest")
    base.learner.serves_all_targets = False
    base.learner.learner.n_trees = 20
    found = similar_assays(base, part.binarise(), {"CHEMBL1862_Ki": embedded["CHEMBL1862_Ki"]})
    assert found["assay_id"].tolist() == ["CHEMBL1862_Ki"]


def test_labels_that_are_missing_or_mixed_are_told() -> None:
    smiles = ["C" * n for n in range(1, 11)]
    with pytest.raises(MolmetaError, match="labels are missing: row 1"):
        FewShotClassifier().fit(smiles, ["active", float("nan")] * 5)
    with pytest.raises(MolmetaError, match="several kinds"):
        FewShotClassifier().fit(smiles, pd.Series(["a", 1] * 5, dtype=object))


def test_two_measurements_are_enough_to_fit() -> None:
    model = FewShotRegressor(device="cpu").fit(["CCO", "CCCCN"], [1.0, 2.0])
    assert np.isfinite(model.predict(["CCCO"])).all()


def test_a_table_of_ties_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ties.csv").write_text("smiles,y\nCCO,0\nCCO,1\nCCN,0\nCCN,1\n")
    command = ["adapt", "--data-path", str(tmp_path / "ties.csv")]
    assert main([*command, "--assay-path", str(tmp_path / "a.safetensors")]) == 2
    assert "disagree" in one_line(capsys)


def test_a_folder_in_place_of_a_file_is_told(
    part, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.csv").write_text("smiles,y\nCCO,0\nCCN,1\n")
    check = ["data", "check", str(tmp_path / "d.csv"), "--output", str(tmp_path), "--overwrite"]
    assert main(check) == 2
    assert "is a folder" in one_line(capsys)
    command = ["adapt", "--data-path", str(tmp_path / "d.csv")]
    assert main([*command, "--assay-path", str(tmp_path / "d.csv" / "a.safetensors")]) == 2
    assert "d.csv" in one_line(capsys)


def test_a_threshold_that_a_split_would_pass_over_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["reproduce", "nguyen2020", "--threshold", "6", "--save-dir", str(tmp_path / "runs")]
    assert main(command) == 2
    assert "--threshold 6" in one_line(capsys)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_study_of_the_forest_alone(tmp_path: Path) -> None:
    command = ["reproduce", "nguyen2020", "--methods", "random_forest", "--workers", "1"]
    assert main([*command, "--save-dir", str(tmp_path / "runs"), "--device", "cpu"]) == 0
    found = pd.read_csv(tmp_path / "runs" / "results.csv")
    assert set(found["learner"]) == {"random_forest", "random_forest_with_validation"}
