"""FS-Mol in both protocols from the command line: what is kept, what is apart, means by group."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molmeta.cli.main import main
from molmeta.errors import DataError
from molmeta.evaluation.groups import by_group, groups_markdown, read_groups
from molmeta.tasks.assay import Assays

NETWORK = """
[model.learner]
name = "quadratic_probe"
[model.encoder]
name = "fingerprint"
hidden = 32
dim = 16
[episodes]
batch_size = 64
support_sizes = [8]
[training]
steps = 4
evaluate_every = 2
validation_draws = 1
schedule = "cosine"
"""
JOINED = """
[model.learner]
name = "gaussian_process"
weights = {fingerprints = 1.0, vector = 2.0, labels = 1.0}
[[model.encoder.parts]]
name = "features"
blocks = ["ecfp4"]
[[model.encoder.parts]]
name = "whitened"
network = {name = "fingerprint", hidden = 32, dim = 16}
[[model.encoder.parts]]
name = "train_assay_labels"
read = "labels"
[model.encoder]
name = "joined"
[training]
steps = 0
encoder_from = "NETWORK"
"""


@pytest.fixture
def fs_mol(tmp_path: Path, embedded: Assays) -> Path:
    """Six assays of 60, in FS-Mol's columns; neighbours share molecules, one row stands twice."""
    rng = np.random.default_rng(0)
    smiles = next(iter(embedded.values())).molecules[:220].smiles
    rows = []
    for k, split in enumerate(("train", "train", "train", "valid", "test", "test")):
        for text in smiles[30 * k : 30 * k + 60]:
            value = 6 + 0.02 * len(text) + rng.normal(0, 0.3)
            rows.append((text, f"A{k}", split, int(value > 7), round(value, 2), "pXC50", "=", "B"))
    rows.append(rows[-1])
    columns = ["smiles", "assay_id", "split", "label", "value", "type", "relation", "assay_type"]
    path = tmp_path / "fs_mol.csv.gz"
    with gzip.open(path, "wt") as file:
        pd.DataFrame(rows, columns=columns).to_csv(file, index=False)
    (tmp_path / "network.toml").write_text(NETWORK)
    joined = JOINED.replace("NETWORK", str(tmp_path / "network.toml"))
    (tmp_path / "joined.toml").write_text(joined)
    groups = pd.DataFrame({"assay_id": ["A4", "A5", "A0"], "class": ["kinase", "", "other"]})
    groups.to_csv(tmp_path / "groups.csv", index=False)
    return path


def words(path: Path, *more: str) -> list[str]:
    """The benchmark of a forest and of two that share a network."""
    folder = path.parent
    learners = [str(folder / "network.toml"), str(folder / "joined.toml")]
    return [
        *("benchmark", "--data-path", str(path), "--learners", *learners, "label_only"),
        *("--save-dir", str(folder / "runs"), "--output", str(folder / "results.csv")),
        *("--support-sizes", "16", "--draws", "2", "--overwrite", *more),
    ]


def test_published_keeps_molecules_and_repetitions(fs_mol: Path, capsys) -> None:
    groups = ["--groups-path", str(fs_mol.parent / "groups.csv"), "--group-column", "class"]
    assert main(words(fs_mol, "--protocol", "published", *groups)) == 0
    page = (fs_mol.parent / "results.md").read_text()
    assert "--protocol published --groups-path groups.csv --group-column class" in page
    assert "| kinase | 1 | " in page and "| unknown | 1 | " in page and "| other |" not in page
    scores = pd.read_csv(fs_mol.parent / "results.csv")
    assert set(scores["learner"]) == {"network", "joined", "label_only", "random_forest"}
    assert (fs_mol.parent / "runs" / "network" / "model.safetensors").exists()
    assert not (fs_mol.parent / "runs" / "joined" / "encoders").exists()
    known = scores.query("learner == 'label_only' and metric == 'delta_auprc'")["value"]
    assert known.abs().max() > 0, "labels of training assays were not seen"


def test_apart_no_label_of_a_test_molecule_is_known(fs_mol: Path) -> None:
    assert main(words(fs_mol)) == 0
    scores = pd.read_csv(fs_mol.parent / "results.csv")
    known = scores.query("learner == 'label_only' and metric == 'delta_auprc'")["value"]
    assert known.abs().max() < 1e-9


def test_training_takes_the_split_that_it_comes_with(fs_mol: Path, tmp_path: Path) -> None:
    command = ["train", "--config", str(tmp_path / "network.toml"), "--data-path", str(fs_mol)]
    assert main([*command, "--save-dir", str(tmp_path / "run"), "--device", "cpu"]) == 0
    assert "meta-trained on 3 assays" in (tmp_path / "run" / "README.md").read_text()
    refused = [*command, "--save-dir", str(tmp_path / "no"), "--validation-assays", "A0"]
    assert main(refused) != 0


def test_published_is_fs_mols_alone(long_table: Path, tmp_path: Path, capsys) -> None:
    output = ["--output", str(tmp_path / "results.csv")]
    command = ["benchmark", "--data-path", str(long_table), "--learners", "nearest_neighbours"]
    assert main([*command, "--protocol", "published", *output]) != 0
    assert "--protocol published is FS-Mol's" in capsys.readouterr().err
    assert main([*command, "--groups-path", "x.csv", *output]) != 0
    assert "belong together" in capsys.readouterr().err


def test_means_by_group_are_means_over_their_assays() -> None:
    rows = [
        (learner, task, size, draw, "delta_auprc", value + draw, 0.5)
        for learner, base in (("a", 0.1), ("b", 0.2))
        for task, value in (("T1", base), ("T2", 2 * base), ("T3", 4 * base))
        for size in (16, 64)
        if (task, size) != ("T3", 64)
        for draw in (-0.05, 0.05)
    ]
    columns = ["learner", "task", "support_size", "draw", "metric", "value", "prevalence"]
    means = by_group(pd.DataFrame(rows, columns=columns), {"T1": "x", "T3": "x"})
    found = means.set_index(["group", "learner", "support_size"])
    assert found.loc[("x", "a", 16), "mean"] == pytest.approx(0.25)
    assert found.loc[("x", "a", 64), "mean"] == pytest.approx(0.1)
    assert found.loc[("unknown", "b", 16), "mean"] == pytest.approx(0.4)
    lines = groups_markdown(means).splitlines()
    assert lines[2] == "| x | 2 | b | 0.500 | 0.200 |"


def test_a_table_without_the_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("assay_id,kind\nA,x\n")
    with pytest.raises(DataError, match="no column 'class'; it has: assay_id, kind"):
        read_groups(tmp_path / "groups.csv", "class")
    with pytest.raises(DataError, match="there is no file"):
        read_groups(tmp_path / "missing.csv", "class")
