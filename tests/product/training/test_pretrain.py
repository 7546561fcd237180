"""Pre-training from the command line, and what begins with it."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch

from molmeta.cli.main import main
from molmeta.models import from_pretrained, load_experiment
from molmeta.training.runs import start_learner

ENCODER = """
[model.encoder]
name = "gin"
width = 8
layers = 2
bottleneck = 4
"""
PRETRAINING = f"""
[model.learner]
name = "linear_probe"
{ENCODER}
[episodes]
batch_size = 32
support_sizes = [16]

[[episodes.targets]]
block = "descriptors"

[training]
steps = 4
evaluate_every = 2
validation_draws = 1
"""


def pretrain(config, table, folder, *others: str) -> int:
    command = ["pretrain", "--config", config, "--data-path", table, "--save-dir", folder, *others]
    return main([*map(str, command), "--device", "cpu"])


@pytest.fixture
def config_of(tmp_path):
    """Writes a configuration."""

    def write(text: str, name: str = "graph"):
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        return path

    return write


def test_others_begin_with_what_was_pretrained(config_of, long_table, tmp_path, capsys):
    assert pretrain(config_of(PRETRAINING), long_table, tmp_path / "graph") == 0
    assert "graph is in" in capsys.readouterr().err
    given = from_pretrained(tmp_path / "graph").learner.encoder
    follower = f"""
[model.learner]
name = "anil"
{ENCODER}
[training]
encoder_from = "{tmp_path / "graph"}"
"""
    learner = start_learner(
        load_experiment(config_of(follower, "anil")), "cpu", lambda name: pytest.fail(name)
    )
    for name, weight in given.state_dict().items():
        assert torch.equal(learner.encoder.state_dict()[name], weight), name


def test_molecules_are_taken_out(config_of, long_table, tmp_path, capsys):
    rows = pd.read_csv(long_table)
    names = sorted(set(rows["assay_id"]))
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"validation": names[:1], "test": names[1:2]}))
    few = tmp_path / "few.csv"
    train = rows[rows["assay_id"].isin(names[2:])]
    pd.DataFrame({"smiles": [*train["smiles"][:7], "not a molecule", ""]}).to_csv(few, index=False)
    left = [str(few), f"{long_table}:{split}"]
    config = config_of(PRETRAINING)
    others = ["--split", str(split), "--protocol", "overlapping", "--without", *left]
    assert pretrain(config, long_table, tmp_path / "run", *others) == 0
    said = capsys.readouterr().err
    assert f"{few}: 7 of its 7 molecules taken out" in said
    shared = set(train["smiles"][7:]) & set(rows[~rows["assay_id"].isin(names[2:])]["smiles"])
    assert f"{split}: {len(shared)} of its" in said


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("nowhere.csv", "there is no file nowhere.csv"),
        ("{other}", "has no column 'smiles'; there is: name, value"),
        ("{long}:{none}", "has no validation or test assay of the split"),
    ],
)
def test_tables_that_cannot_be_taken_out(config_of, long_table, tmp_path, capsys, table, message):
    other, none = tmp_path / "other.csv", tmp_path / "none.json"
    other.write_text("name,value\n1,2\n")
    none.write_text(json.dumps({"validation": ["a"], "test": ["b"]}))
    path = table.format(other=other, long=long_table, none=none)
    config = config_of(PRETRAINING)
    assert pretrain(config, long_table, tmp_path / "run", "--without", path) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_trained_by_episodes_is_sent_to_train(config, long_table, tmp_path, capsys):
    assert pretrain(config, long_table, tmp_path / "run") == 2
    assert "'small' is trained by episodes: use `molmeta train`" in capsys.readouterr().err
