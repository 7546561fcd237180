"""Predicting for many tasks at once is predicting for each."""

from __future__ import annotations

from dataclasses import replace

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


def test_what_is_computed_once_among_some_rows_changes_nothing(case):
    learner, episode = case.learner(), case.episode(0)
    head = getattr(learner, "learner", learner)
    encode = getattr(learner, "encoder", torch.nn.Identity())
    support, query = episode.support, episode.query
    if getattr(learner, "support_encoder", None) is not None or head is learner:
        return  # the parts of an episode are of two kinds, or no encoder stands before it
    with torch.no_grad():
        x = torch.cat([encode(support.x), encode(query.x)])
        expected = learner(query.x, learner.adapt(support))
        one, rows = head.among(x)
        found = one(rows[len(support) :], one.adapt(replace(support, x=rows[: len(support)])))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
