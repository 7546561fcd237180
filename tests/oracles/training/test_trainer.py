"""A run that was interrupted and taken up again ends in the same bits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from molmeta.encoders.fingerprint_network import FingerprintNetwork
from molmeta.errors import CheckpointError
from molmeta.learners.base import Learner
from molmeta.learners.maml import anil
from molmeta.learners.prototypical import prototypical
from molmeta.models.config import Training
from molmeta.tasks.assay import Assay
from molmeta.tasks.sampling import AssayEpisodes
from molmeta.tasks.targets import Classification
from molmeta.training.trainer import MetaTrainer

SETTINGS = Training(steps=6, lr=0.01, evaluate_every=3, seed=5)


class Killed(Exception):
    """What ends a run before its time."""


@pytest.fixture
def episodes(drugs) -> AssayEpisodes:
    """Three assays of all drugs, each with labels of its own."""
    values = np.random.default_rng(0).permutation(np.arange(75) % 2).reshape(3, 25).astype(float)
    assays = [Assay(f"assay {i}", drugs, row, Classification(2)) for i, row in enumerate(values)]
    return AssayEpisodes(assays, (6, 8), query_size=6, meta_batch_size=2, seed=5)


@pytest.fixture(params=[prototypical, anil])
def trainer(request, episodes):
    """Makes a trainer of a new learner, with dropout, from a seed."""

    def make(seed: int, **changes) -> MetaTrainer:
        torch.manual_seed(seed)
        learner = request.param(FingerprintNetwork(8, 6, dropout=0.3), Classification(2))
        settings = dataclasses.replace(SETTINGS, **changes.pop("settings", {}))
        return MetaTrainer(learner, episodes, settings, **changes)

    return make


def assert_same_bits(first: MetaTrainer, second: MetaTrainer) -> None:
    """Weights, best weights and optimiser are equal to the last bit."""
    for one, other in (
        (first.learner.state_dict(), second.learner.state_dict()),
        (first.best, second.best),
        (first.optimiser.state_dict()["state"], second.optimiser.state_dict()["state"]),
    ):
        assert len(one) > 0
        torch.testing.assert_close(dict(one), dict(other), rtol=0, atol=0)


def test_three_steps_and_three_are_six(trainer, tmp_path):
    straight = trainer(0)
    losses = [straight.train_step() for _ in range(6)]
    first = trainer(0)
    begun = [first.train_step() for _ in range(3)]
    first.save(tmp_path / "run.safetensors")
    torch.manual_seed(123)
    second = trainer(99)  # other weights, which the checkpoint replaces
    second.load(tmp_path / "run.safetensors")
    assert second.step == 3
    ended = [second.train_step() for _ in range(3)]
    assert begun + ended == losses
    assert_same_bits(second, straight)


def test_dropout_is_on_in_training_and_off_after(trainer):
    assert trainer(0).train_step() != trainer(0, settings={"seed": 6}).train_step()
    run = trainer(0)
    run.train_step()
    assert run.learner.training
    assert not run.run(progress=False).training


def test_a_run_that_is_killed_goes_on_to_the_same_end(trainer, tmp_path):
    checkpoint = tmp_path / "run.safetensors"

    def validate(learner: Learner) -> float:
        return float(sum(p.detach().double().sum() for p in learner.parameters()))

    def killed(learner: Learner) -> float:
        if checkpoint.exists():
            raise Killed
        return validate(learner)

    straight = trainer(0, validate=validate)
    straight.run(progress=False)
    with pytest.raises(Killed):
        trainer(0, validate=killed).run(checkpoint, progress=False)
    again = trainer(99, validate=validate)
    again.run(checkpoint, progress=False)
    assert [row["step"] for row in again.history] == [3, 6]
    assert again.history == straight.history
    assert_same_bits(again, straight)


def test_a_run_leaves_the_random_state_of_its_caller(trainer):
    run = trainer(0)
    before = torch.random.get_rng_state()
    run.run(progress=False)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_best_weights_are_kept_and_patience_ends_a_run(trainer):
    scores = iter([0.5, 0.2, 0.1, 0.9])
    seen = []

    def validate(learner: Learner) -> float:
        seen.append({name: t.clone() for name, t in learner.state_dict().items()})
        return next(scores)

    run = trainer(0, validate=validate, settings={"steps": 8, "evaluate_every": 2, "patience": 2})
    learner = run.run(progress=False)
    assert [row["step"] for row in run.history] == [2, 4, 6]
    torch.testing.assert_close(dict(learner.state_dict()), seen[0], rtol=0, atol=0)


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_refused(trainer, tmp_path):
    path = tmp_path / "run.safetensors"
    run = trainer(0)
    run.train_step()
    run.save(path)
    with pytest.raises(CheckpointError, match="another lr"):
        trainer(0, settings={"lr": 0.5}).load(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        trainer(0).load(path)
