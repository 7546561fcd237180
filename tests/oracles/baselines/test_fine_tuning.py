"""Probes and fine-tuning of a network that many assays trained: torch's Adam, and formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from molmeta.baselines.fine_tuning import FineTuning, fine_tune_all, fine_tune_top, linear_probe
from molmeta.encoders.fingerprint_network import FingerprintNetwork
from molmeta.learners.base import Embedded
from molmeta.learners.descent import adam_steps
from molmeta.learners.multi_task import MultiTask
from molmeta.learners.quadratic_probe import QuadraticProbe
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Classification

FACTORIES = (fine_tune_all, fine_tune_top, linear_probe)


@pytest.fixture
def support(rng: np.random.Generator) -> Examples:
    x = torch.from_numpy(rng.normal(size=(12, 5))).float()
    return Examples(x, (x[:, 0] > 0).long(), Classification(2))


def test_steps_are_those_of_torchs_adam(support: Examples) -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
    state = FineTuning(network, lr=0.03, steps=7).adapt(support)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(7):
        optimiser.zero_grad()
        F.cross_entropy(network(support.x), support.y).backward()
        optimiser.step()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(state[name], parameter, rtol=1e-4, atol=1e-6)


def test_no_step_changes_nothing() -> None:
    start = {"w": torch.ones(3)}
    assert adam_steps(lambda p: p["w"].sum(), start, 0.1, 0) == start


def test_the_top_alone_is_tuned(drugs) -> None:
    learner = fine_tune_top(FingerprintNetwork(16, 8), Classification(2), steps=3)
    state = learner.adapt(Examples(drugs, torch.arange(25) % 2, Classification(2)))
    assert set(state) == {"1.weight", "1.bias"}
    whole = fine_tune_all(FingerprintNetwork(16, 8), Classification(2), steps=3)
    state = whole.adapt(Examples(drugs, torch.arange(25) % 2, Classification(2)))
    assert len(state) == len(list(whole.parameters()))


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.__name__)
def test_all_assays_train_the_encoder_and_leave_no_head(factory, drugs) -> None:
    learner = factory(FingerprintNetwork(16, 8), Classification(2))
    encoder = learner.encoder if isinstance(learner, Embedded) else learner.network[0]
    together = learner.for_training(["a", "b"])
    assert isinstance(together, MultiTask)
    part = Examples(drugs, torch.arange(25) % 2, Classification(2))
    before = [p.clone() for p in encoder.parameters()]
    optimiser = torch.optim.SGD(together.parameters(), lr=0.1)
    together.meta_loss([Episode(part, part, "a"), Episode(part, part, "b")]).backward()
    optimiser.step()
    after = list(encoder.parameters())
    assert all((a != b).any() for a, b in zip(after, before, strict=True))
    assert together.for_use() is learner


def test_scores_are_mahalanobis_distances_in_the_closed_form(support: Examples) -> None:
    probe = QuadraticProbe(shrinkage=0.5, rounds=0)
    state = probe.adapt(support)
    z = (F.layer_norm(support.x, (5,))).double()  # of length √5
    for k in (0, 1):
        rows = z[support.y == k]
        away = rows - rows.mean(dim=0)
        precision = torch.linalg.inv(0.5 * torch.eye(5) + away.T @ away / len(rows))
        to_centre = z - rows.mean(dim=0)
        expected = -((to_centre @ precision) * to_centre).sum(dim=1) / 2
        found = probe(support.x, state)[:, k].double()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_centres_descend_the_cross_entropy(support: Examples) -> None:
    losses = []
    for rounds in (0, 1, 5):
        probe = QuadraticProbe(shrinkage=2.0, rounds=rounds, lr=0.01)
        outputs = probe(support.x, probe.adapt(support))
        losses.append(F.cross_entropy(outputs, support.y).item())
    assert losses[2] < losses[1] < losses[0]


def test_a_step_of_the_centres_is_that_of_autograd(support: Examples) -> None:
    """On the cross-entropy of scores over d, with the rate times d."""
    z = (F.layer_norm(support.x, (5,))).double()
    means, precisions = [], []
    for k in (0, 1):
        rows = z[support.y == k]
        away = rows - rows.mean(dim=0)
        means.append(rows.mean(dim=0))
        precisions.append(torch.linalg.inv(0.5 * torch.eye(5) + away.T @ away / len(rows)))
    centres = torch.stack(means).requires_grad_()
    away = z - centres.unsqueeze(1)
    scores = -(away @ torch.stack(precisions) * away).sum(dim=2).T / 2
    F.cross_entropy(scores / 5, support.y).backward()
    assert centres.grad is not None
    found = QuadraticProbe(shrinkage=0.5, rounds=1, steps=1, lr=0.1).adapt(support)["centres"]
    expected = centres - 0.1 * 5 * centres.grad
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    assert (found - centres).abs().max() > 1e-2
