"""Law 7: a task that can be learned is learned, after a little meta-training."""

from __future__ import annotations

import torch

from molmeta.episode import Regression
from molmeta.learner import Learner

STEPS = 12
HELD_OUT = range(1000, 1008)


def meta_trained(case) -> Learner:
    """The learner after a few steps of Adam on episodes; baselines as they are."""
    learner = case.learner()
    if list(learner.parameters()):
        optimiser = torch.optim.Adam(learner.parameters(), lr=0.01)
        for step in range(STEPS):
            optimiser.zero_grad()
            learner.meta_loss([case.episode(2 * step), case.episode(2 * step + 1)]).backward()
            optimiser.step()
    return learner


def skill(case, learner) -> float:
    """0 at chance, 1 at perfection: of accuracy, or the coefficient of determination."""
    outputs, episodes = [], [case.episode(seed) for seed in HELD_OUT]
    with torch.no_grad():
        for episode in episodes:
            outputs.append(learner(episode.query.x, learner.adapt(episode.support)))
    pairs = list(zip(outputs, episodes, strict=True))
    if isinstance(case.target, Regression):
        residual = sum(float((e.query.y - out[:, 0]).square().sum()) for out, e in pairs)
        total = sum(float((e.query.y - e.support.y.mean()).square().sum()) for _, e in pairs)
        return 1 - residual / total
    hits = torch.cat([out.argmax(1) == e.query.y for out, e in pairs]).float().mean()
    chance = 1 / case.target.n_way
    return (float(hits) - chance) / (1 - chance)


def test_a_separable_toy_is_learned(case):
    learner = meta_trained(case)
    assert skill(case, learner) > 0.4
