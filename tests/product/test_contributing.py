"""The learner that the documentation shows is a learner; what CONTRIBUTING.md names is there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from molmeta import registry
from molmeta.datasets.chembl import load_embedded
from molmeta.encoders.base import Encoder
from molmeta.models.config import Episodes, Experiment, Model, Training
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.assay import Assays
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification
from molmeta.training.meta_training import meta_train

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-learner.md"


@pytest.fixture
def ridge():
    """The factory, registered for the length of a test."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(code, {})
    yield registry.lookup("learner", "ridge")
    del registry._TABLE["learner"]["ridge"]


class Same(Encoder):
    """Vectors as they are."""

    dim = 3

    def forward(self, x):
        return x


def test_it_is_ridge_regression(ridge):
    x, y = torch.randn(8, 3), torch.arange(8) % 2
    learner = ridge(Same(), Classification(2))
    outputs = learner(x, learner.adapt(Examples(x, y, Classification(2))))
    one_hot = torch.nn.functional.one_hot(y).float()
    weights = torch.linalg.inv(x.T @ x + torch.eye(3)) @ x.T @ one_hot
    torch.testing.assert_close(outputs, x @ weights, rtol=1e-4, atol=1e-5)


def test_it_trains_and_adapts_to_an_assay(ridge):
    names = ["CHEMBL2047_EC50", "CHEMBL1862_Ki", "CHEMBL4616_EC50"]
    cut = [load_embedded()[name].take(range(60)).binarise() for name in names]
    assays = Assays(replace(a, molecules=Molecules(a.molecules.smiles)) for a in cut)
    experiment = Experiment(
        "ridge",
        Model({"name": "ridge"}, {"name": "weighted_fingerprint"}),
        Episodes((16,), 16, 2),
        Training(steps=3, evaluate_every=3, validation_draws=1),
    )
    base = meta_train(experiment, assays.select(names[:2]), assays.select(names[2:]))
    assay = assays[names[2]]
    scores = base.adapt(assay).predict(assay.molecules)
    assert scores[assay.active == 1].mean() > scores[assay.active == 0].mean() + 0.2


def test_every_file_that_contributing_names_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:molmeta|screening|featurizers|molecules|encoders|models|tests|docs)/[\w/.-]+\.\w+)`",
        text,
    )
    assert len(named) > 10
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "molmeta" / name).exists(), name
