"""`molmeta benchmark` on a table that a split divides: protocols, supports, values, looks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta.cli.main import main
from molmeta.tasks.assay import Assays

CONFIG = """
[model.learner]
name = "prior_mean"
[model.encoder]
name = "features_with_prior"
blocks = ["ecfp4"]
network = {name = "fingerprint", hidden = 16, dim = 8}
[episodes]
support_sizes = [8]
query_size = 8
meta_batch_size = 2
[training]
steps = 4
evaluate_every = 2
"""
LABELS = """
[model.learner]
name = "prior_mean"
[model.encoder]
name = "features_with_labels"
blocks = ["ecfp4"]
assays = 3
[training]
steps = 0
"""


@pytest.fixture
def words(tmp_path: Path, embedded: Assays) -> list[str]:
    """Five assays of 40 molecules, of which neighbours share 15, as a table with a split."""
    rng = np.random.default_rng(0)
    smiles = next(iter(embedded.values())).molecules[:140].smiles
    rows = [
        {"smiles": text, "assay_id": f"A{k}", "value": round(len(text) / 10 + rng.normal(), 2)}
        for k in range(5)
        for text in smiles[25 * k : 25 * k + 40]
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "assays.csv", index=False)
    names = {"train": ["A0", "A1"], "validation": ["A2"], "test": ["A3", "A4"]}
    (tmp_path / "split.json").write_text(json.dumps(names))
    (tmp_path / "prior.toml").write_text(CONFIG)
    (tmp_path / "labels.toml").write_text(LABELS)
    return [
        *("benchmark", "--data-path", str(tmp_path / "assays.csv")),
        *("--split", str(tmp_path / "split.json"), "--save-dir", str(tmp_path / "runs")),
        *("--draws", "2", "--output", str(tmp_path / "results.csv"), "--overwrite"),
    ]


def run(command: list[str], folder: Path) -> tuple[pd.DataFrame, str]:
    assert main(command) == 0
    return pd.read_csv(folder / "results.csv"), (folder / "results.md").read_text()


def test_sizes_that_fit_and_plots_are_written(words: list[str], tmp_path: Path) -> None:
    sizes = ["--support-sizes", "8", "16"]
    scores, page = run([*words, *sizes, "--learners", str(tmp_path / "prior.toml")], tmp_path)
    assert set(scores["learner"]) == {"prior", "random_forest"}
    assert set(scores["task"]) == {"A3", "A4"}
    assert "2 with 8 measurements, 2 with 16" in page and "looked at once with each" in page
    assert "Leakage audit" in page and "| test | 65 | training | 0.0 % |" in page
    for plot in ("curves", "dominance"):
        assert (tmp_path / f"results-{plot}.png").stat().st_size > 10_000


def test_a_size_that_fits_no_assay_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--learners", "constant", "--support-sizes", "64"]) == 2
    assert "none of the 2 test assays is large enough" in capsys.readouterr().err


def test_scores_are_taken_up_and_another_look_is_counted(words: list[str], tmp_path: Path) -> None:
    command = [*words, "--learners", "nearest_neighbours", "--support-sizes", "8"]
    first, _ = run(command, tmp_path)
    again, page = run(command, tmp_path)
    pd.testing.assert_frame_equal(first, again)
    assert "looked at once with each learner." in page
    _, page = run([*command, "--seed", "1"], tmp_path)
    assert "nearest_neighbours 2 times" in page


def test_balanced_supports_have_as_many_of_both(words: list[str], tmp_path: Path) -> None:
    scores, page = run([*words, "--learners", "constant", "--shots", "1", "5"], tmp_path)
    assert set(scores["support_size"]) == {2, 10}
    assert "as many actives as inactives" in page


def test_values_are_learned_and_classes_are_ranked(words: list[str], tmp_path: Path) -> None:
    names = ["--learners", str(tmp_path / "prior.toml"), "--support-sizes", "16"]
    classes, _ = run([*words, *names], tmp_path)
    values, page = run([*words, *names, "--regression"], tmp_path)
    assert "Learned from measured values" in page and "rmse" in set(values["metric"])
    key = ["learner", "task", "support_size", "draw"]
    both = classes[classes["metric"] == "roc_auc"].merge(
        values[values["metric"] == "roc_auc"], on=key
    )
    assert len(both) == 8
    assert (both["prevalence_x"] == both["prevalence_y"]).all(), "the same queries"
    assert (both["value_x"] != both["value_y"]).any()


def test_a_learner_of_classes_is_refused_for_values(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*words, "--learners", "zero_shot", "--support-sizes", "8", "--regression"]
    assert main(command) == 2
    assert "'zero_shot' learns from classes alone" in capsys.readouterr().err


def test_the_best_look_is_named_so(words: list[str], tmp_path: Path) -> None:
    names = ["--learners", str(tmp_path / "prior.toml"), "--support-sizes", "8"]
    scores, page = run([*words, *names, "--best-look"], tmp_path)
    assert set(scores["learner"]) == {"prior", "random_forest", "prior_best_look"}
    assert "prior_best_look 3 times" in page  # two while it was trained, and this one


def test_known_labels_are_of_molecules_that_overlap(words: list[str], tmp_path: Path) -> None:
    names = ["--learners", str(tmp_path / "labels.toml"), "--support-sizes", "8"]
    apart, _ = run([*words, *names], tmp_path)
    shared, _ = run([*words, *names, "--protocol", "overlapping"], tmp_path)
    rows = [
        table[(table["learner"] == "labels") & (table["metric"] == "roc_auc")]
        for table in (apart, shared)
    ]
    changed = rows[0]["value"].to_numpy() != rows[1]["value"].to_numpy()
    assert changed[rows[0]["task"].eq("A3").to_numpy()].any()


def test_labels_alone_know_nothing_of_new_molecules(words: list[str], tmp_path: Path) -> None:
    command = [*words, "--learners", "label_only", "--support-sizes", "8"]
    apart, _ = run(command, tmp_path)
    shared, _ = run([*command, "--protocol", "overlapping"], tmp_path)
    auc = [
        table[(table["learner"] == "label_only") & (table["metric"] == "roc_auc")]["value"]
        for table in (apart, shared)
    ]
    assert (auc[0] == 0.5).all()
    assert (auc[1] != 0.5).any()


def test_both_halves_of_the_molecules_are_tested(words: list[str], tmp_path: Path) -> None:
    command = [*words, "--learners", "constant", "--support-sizes", "2", "--protocol"]
    scores, page = run([*command, "molecule-halves"], tmp_path)
    assert set(scores["task"]) == {"A3 1", "A3 2", "A4 1", "A4 2"}
    assert page.count("Leakage audit") == 2 and "--protocol molecule-halves" in page


def test_labels_of_validation_assays_are_not_known_when_these_are_scored(
    words: list[str], tmp_path: Path
) -> None:
    command = [*words, "--learners", "label_only", "--support-sizes", "8", "--part", "validation"]
    scores, _ = run(command, tmp_path)
    alone = scores[(scores["learner"] == "label_only") & (scores["metric"] == "roc_auc")]
    assert (alone["value"] == 0.5).all()


@pytest.mark.parametrize(
    ("pattern", "old", "new"),
    [("*/scores-*.csv", b"delta_auprc,0.", b"delta_auprc,9."), ("audit-*.md", b" %", b"0 %")],
    ids=("scores", "audit"),
)
def test_what_is_kept_is_believed_only_as_it_was_written(
    pattern: str,
    old: bytes,
    new: bytes,
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = [*words, "--support-sizes", "8", "--learners", "nearest_neighbours"]
    command += ["--workers", "1"]
    scores, page = run(command, tmp_path)
    path = sorted((tmp_path / "runs").glob(pattern))[0]
    content = path.read_bytes()
    assert old in content
    for changed in (content.replace(old, new, 1), content[: len(content) // 2], b""):
        path.write_bytes(changed)
        capsys.readouterr()
        assert main(command) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert path.name in error and "delete the file" in error
    path.unlink()
    again, page_again = run(command, tmp_path)
    pd.testing.assert_frame_equal(again, scores)
    assert page_again == page
