"""Coordinates are fitted to training molecules where no weight is trained, too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from molmeta.datasets import read_table
from molmeta.encoders import Whitened
from molmeta.evaluation import trained_models
from molmeta.models import from_pretrained, load_experiment
from molmeta.tasks import Split

CONFIG = """
[model.learner]
name = "prototypical"

[model.encoder]
name = "joined"
parts = [{name = "whitened", network = {name = "gin", width = 8, layers = 2}}]

[training]
steps = 0
"""


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """A configuration whose network stays as its seed makes it."""
    path = tmp_path / "untrained.toml"
    path.write_text(CONFIG)
    return path


def test_a_benchmark_fits_them(untrained, long_table, tmp_path):
    assert load_experiment(untrained).trains
    assays = read_table(long_table).assays
    names = sorted(assays)
    split = Split(assays.select(names[:3]), assays.select(names[3:4]), assays.select(names[4:]))
    model = trained_models.trained_model(str(untrained), split, tmp_path / "runs")
    (encoder,) = (m for m in model.learner.modules() if isinstance(m, Whitened))
    vectors = torch.cat([encoder(assays[name].molecules) for name in names[:3]]).detach()
    assert vectors.mean(dim=0).abs().max() < 0.1 * vectors.std(dim=0).max()
    correlated = torch.corrcoef(vectors[:, -8:].T) - torch.eye(8)
    assert correlated.abs().max() < 0.3  # as found: sums over the same atoms go together
    again = from_pretrained(tmp_path / "runs" / "untrained").learner.encoder
    assert torch.equal(again.parts[0].factor, encoder.factor)
