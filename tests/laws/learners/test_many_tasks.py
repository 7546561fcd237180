"""Predicting for many tasks at once is predicting for each."""

from __future__ import annotations

import torch

from molmeta.tasks.targets import Classification


def test_outputs_for_many_tasks_are_those_for_each(case):
    learner = case.learner()
    episodes = [case.episode(seed) for seed in range(3)]
    with torch.no_grad():
        states = [learner.adapt(episode.support) for episode in episodes]
        x = episodes[0].query.x
        together = learner.for_tasks(x, states)
        alone = [learner(x, state) for state in states]
    assert len(together) == len(alone)
    for one, other in zip(together, alone, strict=True):
        if isinstance(episodes[0].target, Classification):  # a row may be shifted
            one, other = one.log_softmax(dim=1), other.log_softmax(dim=1)
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
