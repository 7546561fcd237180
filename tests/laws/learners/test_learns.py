"""Law 7: a task that can be learned is learned, after a little meta-training."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from molmeta.learners.base import Learner
from molmeta.tasks.episode import Episode, Examples
from molmeta.tasks.targets import Regression

HELD_OUT = range(1000, 1008)


def meta_trained(case) -> Learner:
    """The learner after a few clipped steps of Adam on episodes; baselines as they are."""
    learner, how = case.learner(), case.entry.training
    if list(learner.parameters()):
        optimiser = torch.optim.Adam(learner.parameters(), lr=how.lr)
        for step in range(how.steps):
            seeds = range(10_000 + how.tasks * step, 10_000 + how.tasks * (step + 1))
            episodes = [case.episode(seed, same_classes=how.same_classes) for seed in seeds]
            optimiser.zero_grad()
            learner.meta_loss(episodes).backward()
            torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimiser.step()
    return learner


def skill(outputs: list[Tensor], episodes: list[Episode]) -> float:
    """0 at chance, 1 at perfection: of accuracy, or the coefficient of determination."""
    pairs = list(zip(outputs, episodes, strict=True))
    if isinstance(episodes[0].target, Regression):
        residual = sum(float((e.query.y - out[:, 0]).square().sum()) for out, e in pairs)
        total = sum(float((e.query.y - e.support.y.mean()).square().sum()) for _, e in pairs)
        return 1 - residual / total
    hits = torch.cat([out.argmax(1) == e.query.y for out, e in pairs]).float().mean()
    chance = 1 / episodes[0].target.n_way
    return (float(hits) - chance) / (1 - chance)


def misled(support: Examples) -> Examples:
    """The same inputs under wrong labels: each class as the next, or high as low."""
    if isinstance(support.target, Regression):
        return replace(support, y=2 * support.y.mean() - support.y)
    return replace(support, y=(support.y + 1) % support.target.n_way)


def test_a_separable_toy_is_learned_and_from_its_support(skilled):
    case = skilled
    learner, how = meta_trained(case), case.entry.training
    episodes = [case.episode(seed, same_classes=how.same_classes) for seed in HELD_OUT]
    outputs, right, wrong = [], [], []
    with torch.no_grad():
        for episode in episodes:
            outputs.append(learner(episode.query.x, learner.adapt(episode.support)))
            right.append(episode.target.loss(outputs[-1], episode.query.y))
            led_astray = learner(episode.query.x, learner.adapt(misled(episode.support)))
            wrong.append(episode.target.loss(led_astray, episode.query.y))
    assert skill(outputs, episodes) > 0.4
    assert sum(right) < sum(wrong)
