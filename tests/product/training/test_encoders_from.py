"""An encoder that is joined of two begins with one for each; their folders say what they took."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta.datasets import read_table
from molmeta.errors import ConfigError
from molmeta.evaluation.trained_models import cost
from molmeta.models import from_pretrained, load_experiment
from molmeta.training import meta_train, start_learner

GRAPH = 'name = "gin", width = 8, layers = 1'
COUNTS = 'name = "fingerprint", hidden = 8, dim = 6'
TRAINED = """
[model.learner]
name = "prototypical"

[model.encoder]
{encoder}

[episodes]
support_sizes = [8]
query_size = 8
meta_batch_size = 1

[training]
steps = 1
"""
JOINED = """
[model.learner]
name = "prototypical"

[model.encoder]
name = "whitened"
network = {{name = "joined", parts = [{{{first}}}, {{{second}}}]}}

[training]
steps = 0
encoders_from = {names}
"""


@pytest.fixture
def experiments(tmp_path: Path) -> dict[str, Path]:
    """Two networks, and one that is joined of them."""
    paths = {name: tmp_path / f"{name}.toml" for name in ("graph", "counts", "joined", "swapped")}
    for name, encoder in (("graph", GRAPH), ("counts", COUNTS)):
        lines = "\n".join(encoder.split(", "))
        paths[name].write_text(TRAINED.format(encoder=lines))
    names = [str(paths["graph"]), str(paths["counts"])]
    for name, order in (("joined", names), ("swapped", names[::-1])):
        quoted = "[" + ", ".join(f'"{one}"' for one in order) + "]"
        paths[name].write_text(JOINED.format(first=GRAPH, second=COUNTS, names=quoted))
    return paths


def test_both_are_trained_and_begun_with(experiments, long_table, tmp_path):
    assays = read_table(long_table).assays
    model = meta_train(str(experiments["joined"]), assays, encoders_dir=tmp_path / "runs")
    parts = model.learner.encoder.network.parts
    for name, part in zip(("graph", "counts"), parts, strict=True):
        theirs = from_pretrained(tmp_path / "runs" / name).learner.encoder.state_dict()
        assert all(torch.equal(value, theirs[key]) for key, value in part.state_dict().items())
    with pytest.raises(ConfigError, match="give both the same sizes"):
        meta_train(str(experiments["swapped"]), assays, encoders_dir=tmp_path / "runs")


def test_a_network_of_the_run_s_own_name_has_a_folder_of_its_own(experiments, long_table, tmp_path):
    """`benchmark` trains encoders and learners side by side in one folder."""
    assays = read_table(long_table).assays
    same = tmp_path / "other" / "graph.toml"
    same.parent.mkdir()
    begun = TRAINED.format(encoder="\n".join(GRAPH.split(", ")))
    same.write_text(f'{begun}encoder_from = "{experiments["graph"]}"\nseed = 3\n')
    runs = tmp_path / "runs"
    meta_train(str(same), assays, save_dir=runs / "graph", encoders_dir=runs)
    assert from_pretrained(runs / "graph").experiment.training.seed == 3
    assert from_pretrained(runs / "graph" / "encoders" / "graph").experiment.training.seed == 0


def test_what_reads_nothing_begins_with_no_encoder(experiments):
    constant = load_experiment("constant")
    training = replace(constant.training, encoder_from=str(experiments["graph"]))
    with pytest.raises(ConfigError, match="must be learners on an encoder"):
        start_learner(
            replace(constant, training=training), "cpu", lambda _: from_pretrained("anil")
        )


def test_without_a_shared_folder_each_network_has_its_own(experiments, long_table, tmp_path):
    assays = read_table(long_table).assays
    model = meta_train(str(experiments["joined"]), assays, save_dir=tmp_path / "run")
    again = from_pretrained(tmp_path / "run")
    first, second = (tmp_path / "run" / "encoders" / name for name in ("graph", "counts"))
    assert from_pretrained(first).sha256 != from_pretrained(second).sha256
    assert again.sha256 == model.sha256
    took = [seconds(place) for place in (tmp_path / "run", first, second)]
    assert min(took[1:]) > 0  # the joined one takes no steps
    assert cost(again, tmp_path / "run")["seconds"].item() == pytest.approx(sum(took))


def seconds(folder: Path) -> float:
    return json.loads((folder / "environment.json").read_text())["training_seconds"]
