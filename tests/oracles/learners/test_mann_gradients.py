"""MANN with large weights, its gradients through time, episodes of unequal length, its start."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from test_mann import DIM, EXACT, Slow, examples, learner_for, shown

from molmeta.learners.mann import MANN
from molmeta.tasks.episode import Episode
from molmeta.tasks.targets import Classification, Regression

TARGETS = [Classification(2), Classification(3), Regression()]


@pytest.fixture(params=TARGETS, ids=str)
def target(request):
    return request.param


def sharp(learner: MANN) -> MANN:
    """Larger weights: gates away from a half, reads away from uniform."""
    with torch.no_grad():
        for name, parameter in learner.named_parameters():
            if name != "log_strength":
                parameter.mul_(4)
    return learner


def loss_by_hand(learner: MANN, episode: Episode) -> float:
    parts = (episode.support, episode.query)
    slow = Slow(learner, sum(map(len, parts)))
    labels = np.concatenate([shown(part, episode.support) for part in parts])
    outputs = slow.run(np.concatenate([part.x.numpy() for part in parts]), labels)
    if isinstance(episode.target, Classification):
        chosen = outputs[np.arange(len(labels)), labels.argmax(axis=1)]
        return float((np.log(np.exp(outputs).sum(axis=1)) - chosen).mean())
    mean, log_var = outputs.T
    return float((0.5 * (log_var + (labels[:, 0] - mean) ** 2 / np.exp(log_var))).mean())


def test_the_strength_starts_at_ten():
    assert MANN(DIM, 2, 2).log_strength.exp().item() == pytest.approx(10)


def test_state_after_every_step_with_sharp_gates_and_reads(target):
    learner, support = sharp(learner_for(target)), examples(12, target)
    slow, state = Slow(learner, 3, slots=7), sharp(learner_for(target, slots=7)).start(1, 3)
    rows_used = []
    for x, label in zip(support.x, shown(support, support), strict=True):
        rows_used.append(tuple(slow.least_used()))
        expected = slow.step(x.numpy())
        output, state = learner.step(x.unsqueeze(0), state)
        torch.testing.assert_close(output[0].detach(), torch.from_numpy(expected), **EXACT)
        slow.before = label
        state["before"] = torch.from_numpy(label).unsqueeze(0)
        for name, tensor in state.items():
            by_hand = torch.from_numpy(np.asarray(getattr(slow, name)))
            torch.testing.assert_close(tensor[0].detach(), by_hand, **EXACT, msg=name)
    assert rows_used[0] == (0, 1)
    gaps = {(b[0] - a[0]) % 7 for a, b in pairwise(rows_used)}
    assert gaps != {2}  # usage, and not only the turn of a row, says which is free


def test_gradients_are_those_of_the_slow_loss(target):
    """Along a random direction of every parameter, by central differences."""
    learner = learner_for(target)
    episode = Episode(examples(6, target), examples(3, target))
    named = dict(learner.named_parameters())
    grads = torch.autograd.grad(learner.loss(episode), list(named.values()))
    for (name, parameter), grad in zip(named.items(), grads, strict=True):
        direction, start, size = torch.randn_like(parameter), parameter.detach().clone(), 1e-5
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.copy_(start + sign * size * direction)
            values.append(loss_by_hand(learner, episode))
        with torch.no_grad():
            parameter.copy_(start)
        expected = (values[0] - values[1]) / (2 * size)
        assert abs(expected) > 1e-6, name  # every parameter learns
        assert float((grad * direction).sum()) == pytest.approx(expected, rel=1e-4, abs=1e-8), name


def test_episodes_of_unequal_length_have_the_mean_of_their_losses(target):
    learner = learner_for(target)
    episodes = [Episode(examples(n, target), examples(m, target)) for n, m in ((6, 3), (4, 5))]
    expected = sum(loss_by_hand(learner, episode) for episode in episodes) / 2
    assert float(learner.meta_loss(episodes).detach()) == pytest.approx(expected, abs=1e-9)
