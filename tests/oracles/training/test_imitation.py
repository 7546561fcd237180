"""A network that learns to give other features: what it is asked for, and that it learns it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from molmeta.encoders.gin import GIN
from molmeta.errors import ConfigError
from molmeta.featurizers.rdkit_descriptors import FUNCTIONS
from molmeta.learners import MAML, Imitation, LinearHead
from molmeta.learners.base import Embedded
from molmeta.models import Experiment
from molmeta.molecules.molecules import Molecules
from molmeta.tasks import Assays
from molmeta.training import meta_train
from molmeta.training.imitation_batches import ImitationBatches

DESCRIPTORS = {"block": "descriptors", "power": 0.0}
SPEC = {
    "name": "small",
    "model": {
        "learner": {"name": "linear_probe"},
        "encoder": {"name": "gin", "width": 16, "layers": 2, "bottleneck": 8},
    },
    "episodes": {"batch_size": 100, "support_sizes": [16], "targets": [DESCRIPTORS]},
    "training": {"steps": 60, "lr": 0.01, "evaluate_every": 30, "validation_draws": 1},
}


@pytest.fixture(scope="module")
def assays(embedded):
    """Three of the embedded assays, of a hundred molecules each, in a store of their own."""
    some = [embedded[name].take(np.arange(100)).binarise() for name in sorted(embedded)[:3]]
    store = Molecules.cat([assay.molecules for assay in some]).apart()
    return Assays(
        replace(assay, molecules=store[100 * k : 100 * k + 100]) for k, assay in enumerate(some)
    )


def test_targets_are_standardised_and_of_mean_variance_their_weight(assays):
    targets = [{**DESCRIPTORS, "weight": 0.25}, {"block": "rdkit_descriptors", "power": 0.25}]
    batches = ImitationBatches.of(list(assays.values()), targets, 64)
    assert len(set(batches.molecules.smiles)) == len(batches.molecules)
    small, large = (one(batches.molecules) for one in batches.coordinates)
    assert small.var(dim=0, correction=0).mean() == pytest.approx(0.25, rel=1e-4)
    assert large.var(dim=0, correction=0).mean() == pytest.approx(1, rel=1e-4)
    raw = batches.molecules.block("descriptors").values[batches.molecules.index]
    z = ((raw - raw.mean(axis=0)) / raw.std(axis=0)).clip(-4, 4)
    distances = torch.cdist(torch.from_numpy(z), torch.from_numpy(z)).flatten()
    ratio = torch.cdist(small, small).flatten()[distances > 1] / distances[distances > 1]
    assert ratio.std() < 1e-3  # power 0 turns and scales, and bends nothing
    spread = large.var(dim=0, correction=0)
    assert batches.widths == {"descriptors": 11, "rdkit_descriptors": len(FUNCTIONS)}
    assert spread.max() < 40 * spread[spread > 1e-3].median()


def test_an_epoch_shows_each_molecule_once_in_parts(assays):
    batches = ImitationBatches.of(list(assays.values()), [DESCRIPTORS], 64, seed=3)
    seen = []
    for step in range(batches.epoch):
        parts = batches.meta_batch(step)
        seen += [text for part in parts for text in part.x.smiles]
        assert sum(len(part.x) for part in parts) == pytest.approx(parts[0].mean_size * len(parts))
    assert sorted(seen) == sorted(batches.molecules.smiles)


def test_the_loss_is_the_mean_squared_error_and_parts_add_up(assays):
    batches = ImitationBatches.of(
        list(assays.values()), [DESCRIPTORS, {"block": "rdkit_descriptors"}], 60
    )
    encoder = GIN(width=8, layers=1)
    learner = Imitation(Embedded(encoder, MAML(LinearHead(16, 2))), batches.widths)
    parts = batches.meta_batch(0)
    x = Molecules.cat([part.x for part in parts])
    expected = 0.0
    for one in batches.coordinates:
        expected += torch.nn.functional.mse_loss(learner.heads[one.block](encoder(x)), one(x))
    torch.testing.assert_close(learner.meta_loss(parts), expected)
    shares = [learner.meta_loss(parts[:3]) * 3 / 8, learner.meta_loss(parts[3:]) * 5 / 8]
    torch.testing.assert_close(sum(shares), expected)


def test_it_learns_from_molecules_alone_and_the_encoder_is_what_is_left(assays, tmp_path):
    one, other = assays.select(list(assays)[:2]), assays.select(list(assays)[2:])
    model = meta_train(Experiment.from_dict(SPEC), one, other, save_dir=tmp_path / "run")
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    losses = [float(row.split(",")[1]) for row in rows[1:]]
    assert losses[-1] < 0.7 * losses[0]
    assert not any("heads" in name for name in model.learner.state_dict())
    flipped = Assays(assay.take(np.arange(len(assay))) for assay in one.values())
    for assay in flipped.values():
        assay.values[:] = 1 - assay.values
    again = meta_train(Experiment.from_dict(SPEC), flipped, other)
    assert model.sha256 == again.sha256  # labels are not looked at


def test_what_cannot_be_learned_is_refused(assays):
    some = list(assays.values())
    with pytest.raises(ConfigError, match="'ecfp4' cannot be learned: it has no row of numbers"):
        ImitationBatches.of(some, [{"block": "ecfp4"}], 8)
    with pytest.raises(ConfigError, match=r"a target of .episodes. has no block"):
        ImitationBatches.of(some, [{}], 8)
    bare = Experiment.from_dict({**SPEC, "model": {**SPEC["model"], "learner": {"name": "maml"}}})
    with pytest.raises(ConfigError, match=r"targets in .episodes. train an encoder, and MAML is"):
        meta_train(bare, assays)
