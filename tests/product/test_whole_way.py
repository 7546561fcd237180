"""Train, adapt, screen: the whole way as a user goes it."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from product_commands import adapt_command, python, screen_command

import molmeta
from molmeta.cli.main import main


def test_a_run_leaves_everything_needed_to_repeat_it(model: Path) -> None:
    names = {"model.safetensors", "config.json", "history.csv", "environment.json", "README.md"}
    assert names <= {path.name for path in model.iterdir()}
    config = json.loads((model / "config.json").read_text())
    assert config["experiment"]["model"]["policy"]["fragments"] == "largest"
    assert config["experiment"]["training"]["steps"] == 6
    history = pd.read_csv(model / "history.csv")
    assert history["step"].tolist() == [2, 4, 6]
    assert history["score"].between(-1, 1).all()


def test_the_same_command_again_changes_nothing(
    model: Path, config: Path, long_table: Path
) -> None:
    before = (model / "model.safetensors").read_bytes()
    command = ["train", "--config", str(config), "--data-path", str(long_table)]
    assert main([*command, "--save-dir", str(model), "--device", "cpu"]) == 0
    assert (model / "model.safetensors").read_bytes() == before


def test_another_seed_in_the_same_folder_is_refused(
    model: Path, config: Path, long_table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--config", str(config), "--data-path", str(long_table), "--seed", "1"]
    assert main([*command, "--save-dir", str(model), "--device", "cpu"]) == 2
    assert "another" in capsys.readouterr().err


def test_the_functions_give_what_the_commands_give(
    model: Path, assay: Path, new_assay: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library.csv"
    library.write_text("smiles\nCCO\nc1ccccc1C(=O)NC\n")
    assert main(screen_command(library, model, assay, tmp_path / "cli.csv")) == 0

    base = molmeta.from_pretrained(model)
    measured = molmeta.read_table(new_assay).assays["pKi"].binarise()
    molmeta.screen(base.adapt(measured), library, tmp_path / "python.csv")
    assert (tmp_path / "python.csv").read_bytes() == (tmp_path / "cli.csv").read_bytes()


def test_an_adapted_assay_is_small_and_says_what_it_is(assay: Path, model: Path) -> None:
    assert assay.stat().st_size < 6000
    loaded = molmeta.load_assay(assay, molmeta.from_pretrained(model))
    assert loaded.name == "pKi"
    assert loaded.counts == {"measurements": 32, "active": 16, "inactive": 16}


def test_one_row_out_per_row_in_whatever_is_in_them(
    model: Path, assay: Path, tmp_path: Path
) -> None:
    rows = [
        ["1", "CCO", "plain"],
        ["2", "not a smiles", "blank inside"],
        ["3", "", "empty"],
        ["4", "C1CC", "ring not closed"],
        ["5", "CC(=O)[O-].[Na+]", 'salt, "quoted"'],
        ["6", "[Na+].[Cl-]", "a name\nover two lines"],
        ["7", "[H][H]", "hydrogen"],
        ["8", "C" * 1500, "too large"],
        ["9", "[He]", "one atom of another element"],
        ["10", "c1ccccc1 CCO", "trailing text"],
        ["11", "CCO", "the same molecule again"],
    ]
    library = tmp_path / "library.csv"
    with library.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([["id", "smiles", "note"], *rows])
    before = library.read_bytes()
    out = tmp_path / "out.csv"
    assert main(screen_command(library, model, assay, out)) == 0
    assert library.read_bytes() == before

    with out.open(newline="", encoding="utf-8") as file:
        header, *found = list(csv.reader(file))
    assert header == ["id", "smiles", "note", "score", "status", "reason"]
    assert [row[:3] for row in found] == rows
    statuses = {row[0]: row[4] for row in found}
    assert {k for k, v in statuses.items() if v == "ok"} == {"1", "5", "6", "9", "11"}
    assert statuses["8"] == "too large"
    assert statuses["3"] == "empty"
    for row in found:
        assert bool(row[3]) == (row[4] == "ok")
        assert bool(row[5]) == (row[4] != "ok")
    scores = {row[0]: row[3] for row in found}
    assert scores["1"] == scores["11"]
    assert all(0 <= float(score) <= 1 for score in scores.values() if score)


def test_rows_of_wrong_length_keep_their_place(model: Path, assay: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.csv"
    library.write_text("smiles,name\nCCO,a\nCCC\n\nCCCC,b,c,d\nCCN,e\n")
    out = tmp_path / "out.csv"
    assert main(screen_command(library, model, assay, out)) == 0
    frame = pd.read_csv(out, keep_default_na=False)
    assert frame["status"].tolist() == ["ok", "malformed", "empty", "malformed", "ok"]
    assert "'c', 'd'" in frame["reason"][3]


def test_a_gzipped_library_scores_the_same(model: Path, assay: Path, tmp_path: Path) -> None:
    text = "smiles\nCCO\nCCCCN\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("a.csv", "b.csv.gz"):
        out = tmp_path / f"{name[0]}-scores.csv"
        assert main(screen_command(tmp_path / name, model, assay, out)) == 0
    assert (tmp_path / "a-scores.csv").read_bytes() == (tmp_path / "b-scores.csv").read_bytes()


def test_a_score_does_not_depend_on_the_other_rows(
    model: Path, assay: Path, long_table: Path, tmp_path: Path
) -> None:
    smiles = pd.read_csv(long_table)["smiles"].drop_duplicates()
    smiles.to_csv(tmp_path / "all.csv", index=False)
    smiles.iloc[::-7].to_csv(tmp_path / "some.csv", index=False)
    for name in ("all", "some"):
        out = tmp_path / f"{name}.out.csv"
        assert main(screen_command(tmp_path / f"{name}.csv", model, assay, out)) == 0
    everything = pd.read_csv(tmp_path / "all.out.csv").set_index("smiles")["score"]
    some = pd.read_csv(tmp_path / "some.out.csv").set_index("smiles")["score"]
    np.testing.assert_allclose(some, everything[some.index], rtol=0, atol=1e-5)


def test_several_assays_in_one_pass_and_the_forest_as_a_model(
    long_table: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "adapted"
    folder.mkdir()
    assert main(adapt_command(long_table, "random_forest", folder)) == 0
    files = sorted(folder.glob("*.safetensors"))
    assert len(files) == 5
    library = tmp_path / "library.csv"
    library.write_text("smiles\nCCO\nxx\n")
    out = tmp_path / "out.csv"
    command = screen_command(library, "random_forest", files[0], out)
    command[command.index("--assay-path") + 1 : command.index("--preds-path")] = map(str, files)
    assert main(command) == 0
    frame = pd.read_csv(out)
    assert [c for c in frame if c.startswith("score_")] == [f"score_{f.stem}" for f in files]
    assert frame.loc[1].drop(["smiles", "status", "reason"]).isna().all()


def test_regression_keeps_the_unit_of_the_measurements(new_assay: Path, tmp_path: Path) -> None:
    path = tmp_path / "pki.safetensors"
    assert main(adapt_command(new_assay, "random_forest", path, "--regression")) == 0
    out = tmp_path / "out.csv"
    assert main(screen_command(new_assay, "random_forest", path, out)) == 0
    frame = pd.read_csv(out)
    assert np.corrcoef(frame["pKi"], frame["score"])[0, 1] > 0.9
    assert abs(frame["score"].mean() - frame["pKi"].mean()) < 0.3


def test_benchmark_writes_tidy_results_with_the_forest(
    model: Path, long_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.csv"
    command = [
        *("benchmark", "--learners", str(model), "nearest_neighbours"),
        *("--data-path", str(long_table), "--support-sizes", "8", "16", "--draws", "2"),
        *("--output", str(out), "--save-dir", str(tmp_path / "runs")),
    ]
    assert main(command) == 0
    frame = pd.read_csv(out)
    columns = ["learner", "task", "support_size", "draw", "metric", "value", "prevalence"]
    assert frame.columns.tolist() == columns
    learners = {"small", "nearest_neighbours", "random_forest"}
    assert set(frame["learner"]) == learners
    assert len(frame) == len(learners) * 5 * 2 * 2 * 2  # tasks, sizes, draws, metrics
    assert "random_forest" in capsys.readouterr().out
    assert "95 % bootstrap" in out.with_suffix(".md").read_text()
    per_episode = frame[frame["metric"] == "delta_auprc"].groupby(["task", "support_size", "draw"])[
        "prevalence"
    ]
    assert (per_episode.nunique() == 1).all()  # the same query for every learner


def test_the_command_runs_as_a_program(model: Path, assay: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.csv"
    library.write_text("smiles\nCCO\n")
    out = tmp_path / "out.csv"
    done = python("-m", "molmeta", *screen_command(library, model, assay, out))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "1 rows, 1 scored" in done.stderr
    assert "\r" not in done.stderr  # no progress bar where there is no terminal
